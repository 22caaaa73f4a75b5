import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fitsSchema } from '../../deploy/mdm-standin/judge.ts';
import type { DeviceIdentity } from '../../pki/development/development.ts';
import { revokeDevice } from '../../pki/development/development.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import { type Outcome, signOutcome } from '../../protocol/command/outcome.ts';
import { encodeEvent, type ReportEvent, signReport } from '../../protocol/command/report.ts';
import { type CommandResult, encodeResult } from '../../protocol/command/result.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { encodeDailyIndex } from '../../protocol/payload.ts';
import type { MeterReading } from '../../protocol/reading.ts';
import { type Receipt, readReceipt, type Verdict } from '../../protocol/receipt.ts';
import type { UplinkAnswer } from '../../protocol/uplink.ts';
import { manualClock } from '../runtime/clock.ts';
import { Counters } from '../runtime/counters.ts';
import { createLog } from '../runtime/log.ts';
import { seededRandom } from '../runtime/random.ts';
import { routerConfig } from './config.ts';
import type { DeskSubject } from './desk.ts';
import type { Delivery, MdmRecord, MdmSink } from './mdm/sink.ts';
import { createRecordWriter } from './record/write.ts';
import { event, type ResultParts, result } from './results.ts';
import { householdIndex, MIDNIGHT_SECONDS } from './testing/household.ts';
import { createWorld, type Sent, type World } from './testing/world.ts';

const ORES = 'ores' as TenantId;
const RESA = 'resa' as TenantId;
const COMMAND = '000102030405060708090a0b0c0d0e0f' as CommandId;
const SEQUENCE = 1_796_112_000_001;
const READ_SECONDS = 1_796_112_000;

let world: World;
let device: DeviceIdentity;
let guest: DeviceIdentity;

beforeAll(() => {
  world = createWorld([ORES, RESA]);
  device = world.device(ORES);
  guest = world.device(RESA, ORES);
});
afterAll(() => world.remove());

interface Told {
  readonly subject: DeskSubject;
  readonly device: DeviceId;
  readonly signed: Uint8Array;
}

/** Registers of an electricity and a gas meter. */
const READ: readonly MeterReading[] = householdIndex(
  ORES,
  'f'.repeat(16) as DeviceId,
  1,
  seededRandom(7),
).meters.map((meter) => ({ ...meter, profiles: [], peaks: [], extremes: [] }));

describe('the road of results and events', () => {
  let order: string[];
  let records: MdmRecord[];
  let told: Told[];
  let delivery: Delivery;
  let verdict: Verdict;
  let counters: Counters;
  let router: ResultParts;
  let logged: string;

  const sink: MdmSink = {
    deliver(record) {
      order.push('mdm');
      records.push({ ...record, body: Buffer.from(record.body) });
      return Promise.resolve(delivery);
    },
    close: () => Promise.resolve(),
  };

  beforeEach(() => {
    order = [];
    records = [];
    told = [];
    delivery = { outcome: 'accepted' };
    verdict = { verdict: 'delivered' };
    counters = new Counters();
    logged = '';
    router = {
      tenant: ORES,
      config: routerConfig.parse({
        mode: 'development',
        tenant: ORES,
        sealingKeys: [{ certificate: '-', key: '-' }],
        trust: { root: '-', issuers: [{ tenant: ORES, certificate: '-' }] },
        mdm: { url: 'http://127.0.0.1:1/' },
        later: { minSeconds: 10, maxSeconds: 20 },
      }),
      keys: [world.sealingKey(ORES)],
      trust: world.trust(ORES, [ORES, RESA]),
      writeRecord: createRecordWriter(),
      sink,
      desk: (subject, to, signed) => {
        order.push('desk');
        told.push({ subject, device: to, signed: Buffer.from(signed) });
        return Promise.resolve(verdict);
      },
      clock: manualClock(MIDNIGHT_SECONDS * 1_000),
      certificateClock: { nowMs: () => Date.now() },
      random: seededRandom(3),
      counters,
      log: createLog({
        name: 'test',
        level: 'trace',
        destination: {
          write(line) {
            logged += line;
          },
        },
      }),
    };
  });

  const executed = (identity: DeviceIdentity): Outcome => ({
    tenant: ORES,
    device: identity.device,
    command: COMMAND,
    time: READ_SECONDS,
    state: 'executed',
    code: null,
  });
  const outcomeOf = (
    identity: DeviceIdentity,
    change: Partial<Outcome> = {},
    signAs = identity,
  ): Uint8Array =>
    signOutcome({ outcome: { ...executed(identity), ...change } as Outcome, signer: world.signer(signAs) });

  const resultOf = (identity: DeviceIdentity, change: Partial<CommandResult> = {}): Uint8Array =>
    encodeResult({
      version: 1,
      tenant: ORES,
      device: identity.device,
      sequence: SEQUENCE,
      outcome: outcomeOf(identity),
      meters: [],
      ...change,
    });

  const reportOf = (identity: DeviceIdentity): Uint8Array =>
    signReport({
      report: {
        tenant: ORES,
        device: identity.device,
        time: READ_SECONDS,
        airplaneSince: null,
        breaker: 'closed',
        creditMode: 'credit',
        tariffPlan: 'bi',
      },
      signer: world.signer(identity),
    });
  const eventOf = (identity: DeviceIdentity, change: Partial<ReportEvent> = {}): Uint8Array =>
    encodeEvent({
      version: 1,
      tenant: ORES,
      device: identity.device,
      sequence: SEQUENCE,
      report: reportOf(identity),
      ...change,
    });

  async function send(
    identity: DeviceIdentity,
    payload: Uint8Array,
    sent: Partial<Sent> = {},
    flow = result,
  ): Promise<UplinkAnswer | Receipt> {
    const kind = flow === result ? 'result' : 'event';
    const { sealed, receiptKey } = world.seal(identity, { payload, owner: ORES, kind, ...sent });
    const answer = await flow(router, { device: identity.device, sealed });
    if (answer.kind === 'refused') return answer;
    return readReceipt(receiptKey, answer.receipt, {
      tenant: ORES,
      device: identity.device,
      sequence: SEQUENCE,
    });
  }

  const nobodyHeard = (): void => {
    expect(records).toEqual([]);
    expect(told).toEqual([]);
  };

  describe('a result', () => {
    it('makes no receipt where it cannot be opened, or is another kind of message', async () => {
      const opened = { kind: 'refused', reason: 'envelope' };
      expect(await result(router, { device: device.device, sealed: Buffer.from('nonsense') })).toEqual(
        opened,
      );
      expect(await send(device, resultOf(device), { kind: 'index' })).toEqual(opened);
      expect(await send(device, resultOf(device), { kind: 'event' })).toEqual(opened);
      expect(await send(guest, resultOf(guest), { owner: RESA })).toEqual(opened);
      expect(await send(device, Uint8Array.of(0xa0))).toEqual(opened);
      nobodyHeard();
      expect(counters.get('result.refused.envelope')).toBe(5);
    });

    it('does not open what was moved to the topic of another device', async () => {
      const { sealed } = world.seal(device, { payload: resultOf(device), owner: ORES, kind: 'result' });
      expect(await result(router, { device: guest.device, sealed })).toMatchObject({ reason: 'envelope' });
      nobodyHeard();
    });

    it.each<[string, string, () => [Uint8Array, Partial<Sent>?]]>([
      ['identity', 'signed by another device', () => [resultOf(device), { signAs: guest }]],
      ['identity', 'that speaks of another device', () => [resultOf(device, { device: guest.device })]],
      ['identity', 'that speaks of another tenant', () => [resultOf(device, { tenant: RESA })]],
      [
        'schema',
        'that is a day',
        () => [encodeDailyIndex(householdIndex(ORES, device.device, SEQUENCE, seededRandom(1)))],
      ],
      [
        'schema',
        'that read something and was not executed',
        () => [
          resultOf(device, {
            meters: READ,
            outcome: outcomeOf(device, { state: 'failed', code: 'busy' } as object),
          }),
        ],
      ],
      [
        'identity',
        'that read something, with an outcome of another device’s key',
        () => [resultOf(device, { meters: READ, outcome: outcomeOf(device, {}, guest) })],
      ],
      [
        'signature',
        'that read something, with an outcome of another tenant',
        () => [resultOf(device, { meters: READ, outcome: outcomeOf(device, { tenant: RESA }) })],
      ],
      [
        'signature',
        'that read something, with rubbish for an outcome',
        () => [resultOf(device, { meters: READ, outcome: Buffer.from('rubbish') })],
      ],
    ])('is refused for good (%s) %s, and its reading is delivered to nobody', async (code, _, sent) => {
      const [payload, change] = sent();
      expect(await send(device, payload, change)).toMatchObject({ verdict: 'refused', code });
      expect(records).toEqual([]);
    });

    it('of a device that was revoked is refused', async () => {
      const thief = world.device(ORES);
      revokeDevice(world.pki, thief, { nowMs: Date.now() });
      router = { ...router, trust: world.trust(ORES, [ORES, RESA]) };
      expect(await send(thief, resultOf(thief))).toMatchObject({ verdict: 'refused', code: 'revoked' });
      nobodyHeard();
    });

    it('comes again later where the MDM is away: the desk does not hear of a reading that is nowhere', async () => {
      delivery = { outcome: 'later', why: 'away', atLeastSeconds: 0 };
      expect(await send(device, resultOf(device, { meters: READ }))).toMatchObject({ verdict: 'later' });
      expect(order).toEqual(['mdm']);
    });

    it('comes again later where the desk is away, and the MDM knows its reading then', async () => {
      verdict = { verdict: 'later', seconds: 9 };
      const payload = resultOf(device, { meters: READ });
      expect(await send(device, payload)).toMatchObject({ verdict: 'later', seconds: 9 });
      verdict = { verdict: 'delivered' };
      delivery = { outcome: 'duplicate' };
      expect(await send(device, payload)).toMatchObject({ verdict: 'delivered' });
      expect(records[1]!.key).toBe(records[0]!.key);
      expect(counters.snapshot()).toMatchObject({ 'result.later': 1, 'result.delivered': 1 });
    });

    it.each<[string, Verdict]>([
      ['the desk’s refusal', { verdict: 'refused', code: 'desk' }],
      ['the desk’s refusal of its signature', { verdict: 'refused', code: 'signature' }],
    ])('is parked by %s', async (_, said) => {
      verdict = said;
      expect(await send(device, resultOf(device))).toMatchObject(said);
    });

    it('whose reading the MDM never takes is told to the desk all the same', async () => {
      delivery = { outcome: 'rejected', code: 'schema' };
      expect(await send(device, resultOf(device, { meters: READ }))).toMatchObject({
        verdict: 'refused',
        code: 'mdm',
      });
      expect(order).toEqual(['mdm', 'desk']);
      verdict = { verdict: 'later', seconds: 5 };
      expect(await send(device, resultOf(device, { meters: READ }))).toMatchObject({ verdict: 'later' });
    });

    it('without a reading goes to the desk as the device signed it, and to no MDM', async () => {
      const outcome = outcomeOf(device);
      expect(await send(device, resultOf(device, { outcome }))).toMatchObject({ verdict: 'delivered' });
      expect(told).toEqual([{ subject: 'desk.outcome', device: device.device, signed: outcome }]);
      expect(records).toEqual([]);
      expect(counters.get('delivered')).toBe(0);
    });

    it('of a guest’s device goes the same road', async () => {
      expect(await send(guest, resultOf(guest))).toMatchObject({ verdict: 'delivered' });
      expect(told).toMatchObject([{ device: guest.device }]);
    });

    it('has what it read delivered first, under the command that asked for it; the desk sees none of it', async () => {
      expect(await send(device, resultOf(device, { meters: READ }))).toMatchObject({ verdict: 'delivered' });
      expect(order).toEqual(['mdm', 'desk']);
      const [{ key, body }] = records as [MdmRecord];
      const record = JSON.parse(body.toString()) as { Header: object };
      expect(fitsSchema(record)).toBe(true);
      expect(key).toBe(`${device.device}/ores/read/${COMMAND}`);
      expect(record.Header).toEqual({
        Verb: 'created',
        Noun: 'MeterReadings',
        Timestamp: '2026-12-01T08:00:00Z',
        Source: 'hes-gateway',
        MessageID: key,
        Tenant: 'ores',
        Device: device.device,
        Sequence: SEQUENCE,
        Command: COMMAND,
      });
      const serial = READ[0]!.serial;
      expect(body.includes(serial)).toBe(true);
      expect(Buffer.from(told[0]!.signed).includes(serial)).toBe(false);
      expect(logged).not.toContain(serial);
    });
  });

  describe('an event', () => {
    it.each<[string, string, () => [Uint8Array, Partial<Sent>?]]>([
      ['identity', 'signed by another device', () => [eventOf(device), { signAs: guest }]],
      ['identity', 'that speaks of another device', () => [eventOf(device, { device: guest.device })]],
      ['identity', 'that speaks of another tenant', () => [eventOf(device, { tenant: RESA })]],
      ['schema', 'that is a result with a reading', () => [resultOf(device, { meters: READ })]],
    ])('is refused for good (%s) %s', async (code, _, sent) => {
      const [payload, change] = sent();
      expect(await send(device, payload, change, event)).toMatchObject({ verdict: 'refused', code });
      nobodyHeard();
      expect(counters.get(`event.refused.${code}`)).toBe(1);
    });

    it('does not open as a result, nor a result as an event', async () => {
      const opened = { kind: 'refused', reason: 'envelope' };
      expect(await send(device, eventOf(device), { kind: 'result' }, event)).toEqual(opened);
      nobodyHeard();
    });

    it('comes again later where the desk is away, and goes to it as the device signed it', async () => {
      verdict = { verdict: 'later', seconds: 7 };
      const report = reportOf(device);
      expect(await send(device, eventOf(device, { report }), {}, event)).toMatchObject({ seconds: 7 });
      verdict = { verdict: 'delivered' };
      expect(await send(device, eventOf(device, { report }), {}, event)).toMatchObject({
        verdict: 'delivered',
      });
      expect(told).toEqual(Array(2).fill({ subject: 'desk.report', device: device.device, signed: report }));
      expect(records).toEqual([]);
      expect(counters.snapshot()).toMatchObject({ 'event.later': 1, 'event.delivered': 1 });
    });
  });
});
