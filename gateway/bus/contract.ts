import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { type Behaviour, SECRET_REASON, SLOW_MS } from './contract-behaviours.ts';
import type { BusErrorCode } from './errors.ts';
import type { BusRequest, BusSubject, TenantBus } from './port.ts';

/** One that serves, in whatever process: ended cleanly or killed. */
export interface Responder {
  readonly name: string;
  stop(): Promise<void>;
  /** As by SIGKILL: no farewell. */
  kill(): Promise<void>;
}

/** An implementation of the bus, made ready for a test: at least the tenants `ores` and `resa` are known. */
export interface BusFixture {
  readonly bodyBytesMax: number;
  readonly inFlightMax: number;
  /** Ready to ask. The same bus for the same tenant, until the carrier restarts. */
  requester(tenant: TenantId): Promise<TenantBus>;
  /** Resolves when requests can reach it. */
  responder(tenant: TenantId, subject: BusSubject, behaviour: Behaviour): Promise<Responder>;
  /** What carries the messages dies without a farewell and is started again; responders stay. */
  restartCarrier(): Promise<void>;
  close(): Promise<void>;
}

export const ORES = 'ores' as TenantId;
export const RESA = 'resa' as TenantId;
const DEVICE = '00112233aabbccdd' as DeviceId;

const DEADLINE_MS = 5_000;
const RETURN_WITHIN_MS = 8_000;

/** What every implementation of the bus port has to pass. */
export function busContract(name: string, makeFixture: () => Promise<BusFixture>): void {
  describe(`bus contract: ${name}`, () => {
    let fixture: BusFixture;
    beforeEach(async () => {
      fixture = await makeFixture();
    });
    afterEach(() => fixture.close());

    const ask = async (
      body: Uint8Array,
      { tenant = ORES, subject = 'up.index' as BusSubject, deadlineMs = DEADLINE_MS } = {},
    ): Promise<Uint8Array> =>
      (await fixture.requester(tenant)).request({ subject, device: DEVICE, body }, { deadlineMs });

    it('fails at once when nobody serves the subject', async () => {
      const elapsed = stopwatch();
      await expectCode(ask(text('a')), 'ERR_BUS_NO_RESPONDERS');
      expect(elapsed()).toBeLessThan(DEADLINE_MS / 2);
    });

    it('fails at once when only another subject is served', async () => {
      await fixture.responder(ORES, 'up.event', 'echo');
      await expectCode(ask(text('a')), 'ERR_BUS_NO_RESPONDERS');
    });

    it('does not reach what another tenant serves', async () => {
      await fixture.responder(RESA, 'up.index', 'echo');
      await fixture.requester(RESA);
      await expectCode(ask(text('a')), 'ERR_BUS_NO_RESPONDERS');
      expect(await ask(text('a'), { tenant: RESA })).toEqual(text('a'));
    });

    it('sends nothing to another tenant that serves the same subject', async () => {
      const ores = await fixture.responder(ORES, 'up.index', 'name');
      const resa = await fixture.responder(RESA, 'up.index', 'name');
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, i) => ask(text('?'), { tenant: i % 2 === 0 ? ORES : RESA })),
      );
      answers.forEach((answer, i) => {
        expect(Buffer.from(answer).toString()).toBe(i % 2 === 0 ? ores.name : resa.name);
      });
    });

    it('gives up at the deadline, and not much later', async () => {
      await fixture.responder(ORES, 'up.index', 'hang');
      const elapsed = stopwatch();
      await expectCode(ask(text('a'), { deadlineMs: 200 }), 'ERR_BUS_TIMEOUT');
      expect(elapsed()).toBeGreaterThanOrEqual(190);
      expect(elapsed()).toBeLessThan(1_500);
    });

    it('keeps each deadline, a short one behind a long one', async () => {
      await fixture.responder(ORES, 'up.index', 'hang');
      const elapsed = stopwatch();
      const long = expectCode(ask(text('a'), { deadlineMs: 600 }), 'ERR_BUS_TIMEOUT');
      await expectCode(ask(text('b'), { deadlineMs: 100 }), 'ERR_BUS_TIMEOUT');
      expect(elapsed()).toBeLessThan(500);
      await long;
      expect(elapsed()).toBeGreaterThanOrEqual(590);
    });

    it('drops an answer that comes after the deadline, and answers the next request rightly', async () => {
      await fixture.responder(ORES, 'up.index', 'wait');
      await expectCode(ask(new Uint8Array([150]), { deadlineMs: 40 }), 'ERR_BUS_TIMEOUT');
      expect(await ask(new Uint8Array([200, 7]))).toEqual(new Uint8Array([200, 7]));
    });

    for (const behaviour of ['fail', 'throw', 'giant'] as const)
      it(`reports a handler that does "${behaviour}" without its words`, async () => {
        await fixture.responder(ORES, 'up.index', behaviour);
        const error = await expectCode(ask(text('a')), 'ERR_BUS_HANDLER');
        expect(JSON.stringify([error.message, error.context, error.cause])).not.toContain(SECRET_REASON);
      });

    it('fails what a killed responder had, at once', async () => {
      const responder = await fixture.responder(ORES, 'up.index', 'hang');
      const asked = Array.from({ length: 20 }, () => expectCode(ask(text('a')), 'ERR_BUS_DISCONNECTED'));
      await pause(100);
      const elapsed = stopwatch();
      await responder.kill();
      await Promise.all(asked);
      expect(elapsed()).toBeLessThan(DEADLINE_MS / 2);
      await expectCode(ask(text('a')), 'ERR_BUS_NO_RESPONDERS');
    });

    it('refuses more than its bound in flight, and recovers', async () => {
      await fixture.responder(ORES, 'up.index', 'hang');
      const bound = Array.from({ length: fixture.inFlightMax }, () =>
        expectCode(ask(text('a'), { deadlineMs: 1_500 }), 'ERR_BUS_TIMEOUT'),
      );
      await pause(50);
      await expectCode(ask(text('one more')), 'ERR_BUS_OVERLOADED');
      await Promise.all(bound);
      await fixture.responder(ORES, 'up.event', 'echo');
      expect(await ask(text('again'), { subject: 'up.event' })).toEqual(text('again'));
    });

    it('does not let one tenant’s full bound touch another', async () => {
      await fixture.responder(ORES, 'up.index', 'hang');
      await fixture.responder(RESA, 'up.index', 'echo');
      const bound = Array.from({ length: fixture.inFlightMax }, () =>
        expectCode(ask(text('a'), { deadlineMs: 500 }), 'ERR_BUS_TIMEOUT'),
      );
      expect(await ask(text('b'), { tenant: RESA })).toEqual(text('b'));
      await Promise.all(bound);
    });

    it('refuses a body over the bound and keeps working', async () => {
      await fixture.responder(ORES, 'up.index', 'echo');
      await expectCode(ask(new Uint8Array(fixture.bodyBytesMax + 1)), 'ERR_BUS_OVERSIZE');
      expect(await ask(text('a'))).toEqual(text('a'));
    });

    it('carries bodies of every size up to the bound unchanged, both ways', async () => {
      await fixture.responder(ORES, 'up.index', 'echo');
      const sizes = [0, 1, 3, 2_048, 16_384, 16_385, 65_536, fixture.bodyBytesMax - 1, fixture.bodyBytesMax];
      const bodies = sizes.map(pattern);
      const answers = await Promise.all(bodies.map((body) => ask(body)));
      answers.forEach((answer, i) => {
        expect(answer.length).toBe(sizes[i]);
        expect(Buffer.compare(answer, bodies[i]!)).toBe(0);
      });
    });

    it('brings every answer to its own request when they overtake each other', async () => {
      await fixture.responder(ORES, 'up.index', 'wait');
      const bodies = Array.from({ length: 200 }, (_, i) => new Uint8Array([200 - i, i, 7]));
      expect(await Promise.all(bodies.map((body) => ask(body)))).toEqual(bodies);
    });

    it('answers many at once, each with its own body', async () => {
      await fixture.responder(ORES, 'up.index', 'echo');
      const count = Math.min(10_000, fixture.inFlightMax);
      const bodies = Array.from({ length: count }, (_, i) => text(`request ${i}`));
      const answers = await Promise.all(bodies.map((body) => ask(body)));
      expect(answers.every((answer, i) => Buffer.compare(answer, bodies[i]!) === 0)).toBe(true);
    });

    it('spreads requests over the members of the group', async () => {
      const members = await Promise.all([1, 2, 3].map(() => fixture.responder(ORES, 'up.index', 'name')));
      const answers = await Promise.all(Array.from({ length: 300 }, () => ask(text('?'))));
      const byName = Map.groupBy(answers, (answer) => Buffer.from(answer).toString());
      expect([...byName.keys()].sort()).toEqual(members.map((member) => member.name).sort());
      for (const answered of byName.values()) expect(answered.length).toBeGreaterThan(30);
    });

    it('goes on with the other members when one is killed', async () => {
      const [first, second] = await Promise.all([
        fixture.responder(ORES, 'up.index', 'name'),
        fixture.responder(ORES, 'up.index', 'name'),
      ]);
      await first.kill();
      // What was under way when it died may have failed; from the moment its death is known nothing does.
      await eventually(async () => expect(Buffer.from(await ask(text('?'))).toString()).toBe(second.name));
      const answers = await Promise.all(Array.from({ length: 50 }, () => ask(text('?'))));
      for (const answer of answers) expect(Buffer.from(answer).toString()).toBe(second.name);
    });

    it('lets running requests end when a responder stops, and sends it no more', async () => {
      const responder = await fixture.responder(ORES, 'up.index', 'slow');
      const asked = Array.from({ length: 20 }, (_, i) => ask(text(`${i}`)));
      await pause(SLOW_MS / 3);
      await responder.stop();
      expect(await Promise.all(asked)).toHaveLength(20);
      await expectCode(ask(text('late')), 'ERR_BUS_NO_RESPONDERS');
    });

    it('refuses to serve one subject twice on one side', async () => {
      const bus = await fixture.requester(ORES);
      const serving = await bus.serve('down.command', async (request) => request.body);
      await expectCode(
        bus.serve('down.command', async (request) => request.body),
        'ERR_BUS_SERVED',
      );
      await serving.stop();
      await (await bus.serve('down.command', async (request) => request.body)).stop();
    });

    it('serves on the side that asks, too', async () => {
      const bus = await fixture.requester(ORES);
      const seen: BusRequest[] = [];
      await bus.serve('down.command', async (request) => {
        seen.push(request);
        return text('done');
      });
      expect(await ask(text('open'), { subject: 'down.command' })).toEqual(text('done'));
      expect(seen).toHaveLength(1);
      expect(seen[0]).toMatchObject({ subject: 'down.command', device: DEVICE });
    });

    it('fails own requests when it is closed, and everything after', async () => {
      await fixture.responder(ORES, 'up.index', 'hang');
      const bus = await fixture.requester(ORES);
      const asked = expectCode(ask(text('a')), 'ERR_BUS_CLOSED');
      await pause(30);
      await bus.close();
      await asked;
      const request: BusRequest = { subject: 'up.index', device: DEVICE, body: text('b') };
      await expectCode(bus.request(request, { deadlineMs: 1_000 }), 'ERR_BUS_CLOSED');
      await expectCode(
        bus.serve('up.event', async (asked) => asked.body),
        'ERR_BUS_CLOSED',
      );
      await bus.close();
    });

    it('serves again when the carrier died and came back', async () => {
      await fixture.responder(ORES, 'up.index', 'echo');
      expect(await ask(text('before'))).toEqual(text('before'));
      for (let round = 0; round < 2; round++) {
        await fixture.restartCarrier();
        await eventually(async () => expect(await ask(text('after'))).toEqual(text('after')));
      }
    });
  });
}

const text = (content: string): Uint8Array => new Uint8Array(Buffer.from(content));

const pattern = (bytes: number): Uint8Array => {
  const body = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) body[i] = (i * 31 + bytes) & 0xff;
  return body;
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function stopwatch(): () => number {
  const startedMs = performance.now();
  return () => performance.now() - startedMs;
}

async function expectCode(promise: Promise<unknown>, code: BusErrorCode) {
  const error: unknown = await promise.then(
    () => new Error('it was answered'),
    (rejection: unknown) => rejection,
  );
  if (!isHesError(error, code)) throw new Error(`expected ${code}`, { cause: error });
  return error;
}

async function eventually(check: () => Promise<void>): Promise<void> {
  const elapsed = stopwatch();
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (elapsed() > RETURN_WITHIN_MS) throw error;
      await pause(20);
    }
  }
}
