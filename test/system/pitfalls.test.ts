import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { TenantBus } from '../../gateway/bus/port.ts';
import { dayAfter, dayAt } from '../../gateway/edge/days/calendar.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import { decodeDownlink, encodeDownlinkAnswer } from '../../protocol/downlink.ts';
import { type MarcoChain, marcoChain } from '../support/marco-chain.ts';
import type { Proposal } from '../support/marco-desk.ts';
import { until } from '../support/processes.ts';

/**
 * Known bugs of other head-ends with commands, each through the real chain: API, desk, bus, front, MQTT, edge and back.
 * test/fast/pitfalls.test.ts has them at the desk alone.
 */

const FIRST = dayAfter(dayAt(Math.floor(Date.now() / 1_000)), 1);
/** A real while in which a desk that believes itself would have shown something else. */
const WATCHED_MS = 1_500;

let chain: MarcoChain;
afterEach(() => chain.end());

async function started(tamper?: (bus: TenantBus) => TenantBus) {
  chain = await marcoChain(FIRST, ['electricity'], tamper);
  const { home } = chain.households[0]!;
  const face = chain.face('operator');
  const hand = chain.hand('operator');
  return {
    home,
    stateOf: async (id: CommandId) => (await face.show(id)).state,
    async port(on: boolean): Promise<CommandId> {
      const proposal: Proposal & { id: CommandId } = hand.propose(home.device, 'p1.set', { on }, 'a test');
      await face.propose(proposal);
      return proposal.id;
    },
    async message(text: string): Promise<CommandId> {
      const until = Math.floor(chain.clock.nowMs() / 1_000) + 3_600;
      const proposal = hand.propose(home.device, 'display.message', { text, until }, 'a test');
      await face.propose(proposal);
      return proposal.id;
    },
  };
}

/** A bus whose requests to devices go through a function of the test; the question who is there does not. */
const carrying =
  (carry: (send: () => Promise<Uint8Array>) => Promise<Uint8Array>) =>
  (bus: TenantBus): TenantBus => ({
    tenant: bus.tenant,
    serve: (subject, handler) => bus.serve(subject, handler),
    close: () => bus.close(),
    request: (request, options) => {
      const send = (): Promise<Uint8Array> => bus.request(request, options);
      const isCommand = request.subject === 'down.command' && decodeDownlink(request.body).sealed.length > 0;
      return isCommand ? carry(send) : send();
    },
  });

describe('ThingsBoard, through the whole chain: a command', () => {
  it('is not shown as delivered while its device is off-line', async () => {
    const { home, port, stateOf } = await started();
    const id = await port(false);
    const seen = new Set<string>();
    const endMs = performance.now() + WATCHED_MS;
    while (performance.now() < endMs) {
      seen.add(await stateOf(id));
      await delay(50);
    }
    expect([...seen]).toEqual(['queued']);
    await home.wake();
    expect(await stateOf(id)).toBe('executed');
    expect(home.view().port).toBe(false);
  });

  it('whose answer comes before the carrier’s own does not block those behind it', async () => {
    let overtaken = 0;
    const late = carrying(async (send) => {
      const answer = await send();
      // The carrier says that it wrote the command only long after the device has answered.
      await delay(300);
      overtaken++;
      return answer;
    });
    const { home, port, message, stateOf } = await started(late);
    const ids = [await port(false), await message('Bonjour'), await port(true)];
    await home.wake();
    await until('all are executed', async () => {
      await home.wake();
      return (await Promise.all(ids.map(stateOf))).every((state) => state === 'executed');
    });
    expect(overtaken).toBe(3);
    expect(home.view()).toMatchObject({ port: true, message: 'Bonjour' });
  });

  it('that its carrier lost ends as unknown, and the next one goes', async () => {
    let lost = 0;
    const losing = carrying((send) =>
      lost++ === 0 ? Promise.resolve(encodeDownlinkAnswer({ kind: 'written' })) : send(),
    );
    const { home, port, message, stateOf } = await started(losing);
    const first = await port(false);
    const second = await message('Bonjour');
    await home.wake();
    expect(await stateOf(first)).toBe('sent');
    expect(await stateOf(second)).toBe('queued');
    chain.clock.advance(16 * 60_000);
    await home.wake();
    await until('the second is executed', async () => {
      await home.wake();
      return (await stateOf(second)) === 'executed';
    });
    expect(await stateOf(first)).toBe('unknown');
    expect(home.view()).toMatchObject({ port: true, message: 'Bonjour' });
  });

  it('is not lost on a reconnect, nor done twice: a device that is cut off in the middle does the rest later', async () => {
    const { home, port, message, stateOf } = await started();
    const ids = [await port(false), await message('un'), await port(true), await message('deux')];
    for (let contact = 0; contact < 3; contact++) {
      // Cut off after some milliseconds: before, within or after a command.
      await home.edge.wake(AbortSignal.timeout(30 + 40 * contact));
      await delay(50);
    }
    await until('all have ended', async () => {
      await home.edge.wake();
      chain.clock.advance(60_000);
      const states = await Promise.all(ids.map(stateOf));
      return states.every((state) => state !== 'queued' && state !== 'sent');
    });
    const states = await Promise.all(ids.map(stateOf));
    // What a cut line swallowed is unknown, and never shown as done; everything else was done.
    for (const state of states) expect(['executed', 'unknown']).toContain(state);
    const executed = states.filter((state) => state === 'executed').length;
    expect(executed).toBeGreaterThan(0);
    const last = (await Promise.all([stateOf(ids[2]!), stateOf(ids[3]!)])).every(
      (state) => state === 'executed',
    );
    if (last) expect(home.view()).toMatchObject({ port: true, message: 'deux' });
  });
});
