import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fitsSchema } from '../../deploy/mdm-standin/judge.ts';
import type { DeviceIdentity } from '../../pki/development/development.ts';
import { revokeDevice } from '../../pki/development/development.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { encodeDailyIndex } from '../../protocol/payload.ts';
import type { DailyIndex } from '../../protocol/reading.ts';
import { type Receipt, readReceipt } from '../../protocol/receipt.ts';
import type { UplinkAnswer } from '../../protocol/uplink.ts';
import { manualClock } from '../runtime/clock.ts';
import { Counters } from '../runtime/counters.ts';
import { createLog } from '../runtime/log.ts';
import { seededRandom } from '../runtime/random.ts';
import { routerConfig } from './config.ts';
import type { Delivery, MdmRecord, MdmSink } from './mdm/sink.ts';
import { createRecordWriter } from './record/write.ts';
import { householdIndex, MIDNIGHT_SECONDS } from './testing/household.ts';
import { createWorld, type Sent, type World } from './testing/world.ts';
import { type UplinkParts, uplink } from './uplink.ts';

const ORES = 'ores' as TenantId;
const RESA = 'resa' as TenantId;
const DAY_SECONDS = 86_400;
const SEED = 42;

let world: World;
let device: DeviceIdentity;
let guest: DeviceIdentity;

beforeAll(() => {
  world = createWorld([ORES, RESA]);
  device = world.device(ORES);
  guest = world.device(RESA, ORES);
});
afterAll(() => world.remove());

/** An MDM that says what the test wants, and what it was given. */
class SaidSink implements MdmSink {
  readonly records: MdmRecord[] = [];
  delivery: Delivery = { outcome: 'accepted' };
  given: Buffer | undefined;
  deliver(record: MdmRecord): Promise<Delivery> {
    this.given = record.body;
    this.records.push({ ...record, body: Buffer.from(record.body) });
    return Promise.resolve(this.delivery);
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}

describe('the uplink', () => {
  let sink: SaidSink;
  let counters: Counters;
  let router: UplinkParts;
  let logged: string;
  const clock = manualClock(0);

  beforeEach(() => {
    sink = new SaidSink();
    counters = new Counters();
    logged = '';
    clock.set((MIDNIGHT_SECONDS + 600) * 1_000);
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
      clock,
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

  const indexOf = (identity: DeviceIdentity, change: Partial<DailyIndex> = {}): DailyIndex => ({
    ...householdIndex(ORES, identity.device, 5, seededRandom(2)),
    ...change,
  });

  async function send(identity: DeviceIdentity, sent: Partial<Sent> = {}): Promise<UplinkAnswer | Receipt> {
    const { sealed, receiptKey } = world.seal(identity, { payload: indexOf(identity), owner: ORES, ...sent });
    const answer = await uplink(router, { device: identity.device, sealed });
    if (answer.kind === 'refused') return answer;
    return readReceipt(receiptKey, answer.receipt, { tenant: ORES, device: identity.device, sequence: 5 });
  }

  it('withholds the receipt of delivery when the MDM times out: the device keeps its reading', async () => {
    sink.delivery = { outcome: 'later', why: 'deadline', atLeastSeconds: 0 };
    const receipt = await send(device);
    expect(receipt).toMatchObject({ verdict: 'later' });
    expect((receipt as Receipt & { seconds: number }).seconds).toBeGreaterThanOrEqual(10);
    expect((receipt as Receipt & { seconds: number }).seconds).toBeLessThanOrEqual(20);
    expect(counters.get('delivered')).toBe(0);
  });

  it('makes no receipt for what it cannot open', async () => {
    expect(await uplink(router, { device: device.device, sealed: Buffer.from('nonsense') })).toEqual({
      kind: 'refused',
      reason: 'envelope',
    });
    expect(await send(guest, { owner: RESA })).toEqual({ kind: 'refused', reason: 'envelope' });
    expect(sink.records).toHaveLength(0);
    expect(counters.get('refused.envelope')).toBe(2);
  });

  it('makes no receipt for what is larger than the limit', async () => {
    expect(await uplink(router, { device: device.device, sealed: new Uint8Array(1 << 20) })).toEqual({
      kind: 'refused',
      reason: 'oversize',
    });
  });

  it('does not open what was moved to the topic of another device', async () => {
    const { sealed } = world.seal(device, { payload: indexOf(device), owner: ORES });
    expect(await uplink(router, { device: guest.device, sealed })).toMatchObject({ reason: 'envelope' });
  });

  it('does not open an event that is passed for an index', async () => {
    expect(await send(device, { kind: 'event' })).toMatchObject({ reason: 'envelope' });
  });

  it.each<[string, string, () => Partial<Sent>]>([
    ['identity', 'signed by another device', () => ({ signAs: guest })],
    ['schema', 'that is no daily index', () => ({ payload: Uint8Array.of(0xa2, 0x01, 0x01, 0x04, 0x05) })],
    ['identity', 'that speaks of another device', () => ({ payload: indexOf(guest) })],
    ['identity', 'that speaks of another tenant', () => ({ payload: indexOf(device, { tenant: RESA }) })],
    ['future', 'captured ahead of the clock', () => ({ payload: capturedAfter(600 + 301) })],
    ['future', 'of a day that is not over', () => ({ payload: indexOf(device, { day: '2026-03-30' }) })],
    ['too-old', 'captured too long ago', () => ({ payload: capturedAfter(-71 * DAY_SECONDS) })],
    ['too-old', 'of a day long ago', () => ({ payload: indexOf(device, { day: '2025-12-01' }) })],
  ])('refuses for good (%s) a reading %s', async (code, _, sent) => {
    expect(await send(device, sent())).toMatchObject({ verdict: 'refused', code });
    expect(sink.records).toHaveLength(0);
    expect(counters.get(`refused.${code}`)).toBe(1);
  });

  const capturedAfter = (seconds: number) =>
    indexOf(device, { capturedAt: { epochSeconds: MIDNIGHT_SECONDS + seconds, offsetMinutes: 60 } });

  it('refuses a signer that is no guest of the tenant', async () => {
    const stranger = world.device(RESA);
    const { sealed } = world.seal(device, { payload: indexOf(device), owner: ORES, signAs: stranger });
    const answer = await uplink(router, { device: device.device, sealed });
    expect(answer.kind).toBe('receipt');
    expect(counters.get('refused.identity')).toBe(1);
  });

  it('refuses a device of an issuer that this tenant does not know', async () => {
    router = { ...router, trust: world.trust(ORES, [ORES]) };
    expect(await send(guest)).toMatchObject({ verdict: 'refused', code: 'identity' });
  });

  it('refuses a device that was revoked', async () => {
    const thief = world.device(ORES);
    expect(await send(thief)).toMatchObject({ verdict: 'delivered' });
    revokeDevice(world.pki, thief, { nowMs: Date.now() });
    router = { ...router, trust: world.trust(ORES, [ORES, RESA]) };
    expect(await send(thief)).toMatchObject({ verdict: 'refused', code: 'revoked' });
  });

  it('makes no receipt where a refused reading does not even claim a sequence', async () => {
    expect(await send(device, { payload: Uint8Array.of(0xa0) })).toEqual({
      kind: 'refused',
      reason: 'envelope',
    });
  });

  it('tells the MDM about what looks wrong, and refuses none of it', async () => {
    const index = indexOf(device);
    const [meter, ...others] = index.meters;
    const odd = { ...index, meters: [{ ...meter!, registers: [] }, ...others] };
    expect(await send(device, { payload: odd })).toMatchObject({ verdict: 'delivered' });
    expect(counters.get('plausibility.registers-missing')).toBe(1);
    expect(sink.records[0]!.body.toString()).toContain('"2.5.259"');
  });

  it.each<[Delivery, object]>([
    [{ outcome: 'accepted' }, { verdict: 'delivered' }],
    [{ outcome: 'duplicate' }, { verdict: 'duplicate' }],
    [
      { outcome: 'rejected', code: 'schema' },
      { verdict: 'refused', code: 'mdm' },
    ],
    [{ outcome: 'later', why: 'away', atLeastSeconds: 0 }, { verdict: 'later' }],
  ])('turns the MDM’s word into a receipt: %o', async (delivery, receipt) => {
    sink.delivery = delivery;
    expect(await send(device)).toMatchObject({ ...receipt, time: MIDNIGHT_SECONDS + 600 });
  });

  it('delivers the reading of a guest meter to its owner under the key of device, owner and sequence', async () => {
    expect(await send(guest)).toMatchObject({ verdict: 'delivered' });
    expect(sink.records[0]!.key).toBe(`${guest.device}/ores/5`);
  });

  it('overwrites the record when the MDM has answered', async () => {
    await send(device);
    expect(sink.records[0]!.body.length).toBe(sink.given!.length);
    expect(sink.given!.every((byte) => byte === 0)).toBe(true);
  });

  it('opens with any sealing key that is valid while one is rolled over', async () => {
    router = { ...router, keys: [world.sealingKey(RESA), world.sealingKey(ORES)] };
    expect(await send(device)).toMatchObject({ verdict: 'delivered' });
  });

  it('opens nothing that was altered by a single bit on the way', async () => {
    const { sealed } = world.seal(device, { payload: indexOf(device), owner: ORES });
    await fc.assert(
      fc.asyncProperty(fc.nat(sealed.length * 8 - 1), async (bit) => {
        const altered = Uint8Array.from(sealed);
        altered[bit >> 3]! ^= 1 << (bit & 7);
        expect(await uplink(router, { device: device.device, sealed: altered })).toMatchObject({
          kind: 'refused',
        });
      }),
      { seed: SEED, numRuns: 200 },
    );
    expect(sink.records).toHaveLength(0);
  });

  it('delivers nothing of what a device of ours seals that is no daily index, whatever it is', async () => {
    const index = encodeDailyIndex(indexOf(device));
    const mutated = fc.tuple(fc.nat(index.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
      const bytes = Uint8Array.from(index);
      bytes[at]! ^= by;
      return bytes;
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 512 }), mutated), async (payload) => {
        const { sealed } = world.seal(device, { payload, owner: ORES });
        await uplink(router, { device: device.device, sealed });
      }),
      { seed: SEED, numRuns: 200 },
    );
    // Some mutations are daily indexes still, only with other numbers: those keep to the schema.
    for (const { body } of sink.records) expect(fitsSchema(JSON.parse(body.toString()))).toBe(true);
    expect(counters.get('refused.schema')).toBeGreaterThan(0);
    expect(counters.get('refused.envelope')).toBeGreaterThan(50);
    expect(counters.get('refused.internal')).toBe(0);
  });

  it('logs neither reading nor serial nor EAN, whatever happens', async () => {
    sink.delivery = { outcome: 'rejected', code: 'schema' };
    await send(device);
    await send(device, { payload: encodeDailyIndex(indexOf(guest)) });
    expect(logged).toContain('the MDM rejects a record');
    const [meter] = indexOf(device).meters;
    for (const secret of [meter!.serial, meter!.ean!, String(meter!.registers[0]!.value)])
      expect(logged).not.toContain(secret);
  });
});
