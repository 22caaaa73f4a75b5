import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type MdmStandIn, startMdmStandIn } from '../../deploy/mdm-standin/standin.ts';
import { type DeviceIdentity, revokeDevice } from '../../pki/development/development.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import { type Outcome, signOutcome } from '../../protocol/command/outcome.ts';
import { encodeResult } from '../../protocol/command/result.ts';
import { encodeDeskAnswer } from '../../protocol/downlink.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { type Receipt, readReceipt } from '../../protocol/receipt.ts';
import { manualClock } from '../runtime/clock.ts';
import { parseConfig } from '../runtime/config.ts';
import { Counters } from '../runtime/counters.ts';
import { silentLog } from '../runtime/log.ts';
import { seededRandom } from '../runtime/random.ts';
import { routerConfig } from './config.ts';
import { type RunningRouter, startRouter } from './router.ts';
import { householdIndex, MIDNIGHT_SECONDS } from './testing/household.ts';
import { InProcessBus } from './testing/local-bus.ts';
import { createWorld, type World } from './testing/world.ts';

const ORES = 'ores' as TenantId;
const RESA = 'resa' as TenantId;

let world: World;
let device: DeviceIdentity;
beforeAll(() => {
  world = createWorld([ORES, RESA]);
  device = world.device(ORES);
});
afterAll(() => world.remove());

describe('a router', () => {
  let mdm: MdmStandIn;
  let bus: InProcessBus;
  let counters: Counters;
  let router: RunningRouter | undefined;

  beforeEach(async () => {
    mdm = await startMdmStandIn({ tenant: ORES, port: 0 });
    bus = new InProcessBus(ORES);
    counters = new Counters();
  });
  afterEach(async () => {
    await router?.stop();
    router = undefined;
    await mdm.stop();
  });

  const configOf = (change: object = {}, mdmChange: object = {}) => {
    const { layout, owners } = world.pki;
    return parseConfig(routerConfig, {
      mode: 'development',
      tenant: ORES,
      sealingKeys: [layout.sealing(ORES, owners.get(ORES)!.kid)],
      trust: {
        root: layout.root.certificate,
        issuers: [{ tenant: ORES, certificate: layout.issuing(ORES).certificate }],
        revocations: [layout.crl(ORES)],
      },
      mdm: { url: mdm.url, requestMs: 500, retry: { attemptsMax: 2, baseMs: 20 }, ...mdmChange },
      limits: { answerWithinMs: 1_000 },
      ...change,
    });
  };

  async function start(change: object = {}, mdmChange: object = {}): Promise<void> {
    const clock = manualClock((MIDNIGHT_SECONDS + 60) * 1_000);
    router = await startRouter({ config: configOf(change, mdmChange), bus, log: silentLog, counters, clock });
  }

  async function send(sequence: number, identity = device): Promise<Receipt | string> {
    const payload = householdIndex(ORES, identity.device, sequence, seededRandom(sequence));
    const { sealed, receiptKey } = world.seal(identity, { payload, owner: ORES });
    const answer = await bus.ask('up.index', identity.device, sealed);
    if (answer.kind === 'refused') return answer.reason;
    return readReceipt(receiptKey, answer.receipt, { tenant: ORES, device: identity.device, sequence });
  }

  it('does not start on the bus of another tenant', async () => {
    bus = new InProcessBus(RESA);
    await expect(start()).rejects.toMatchObject({ code: 'ERR_ROUTER_TENANT' });
  });

  it('does not start with the sealing key of another tenant', async () => {
    const files = world.pki.layout.sealing(RESA, world.pki.owners.get(RESA)!.kid);
    await expect(start({ sealingKeys: [files] })).rejects.toMatchObject({ code: 'ERR_TRUST_KEY' });
  });

  describe('with a desk', () => {
    const command = 'a'.repeat(32) as CommandId;

    async function sendResult(sequence: number): Promise<Receipt | string> {
      const signer = world.signer(device);
      const about = { tenant: ORES, device: device.device };
      const time = Math.floor(Date.now() / 1_000);
      const outcome: Outcome = { ...about, command, time, state: 'executed', code: null };
      const meters = householdIndex(ORES, device.device, 1, seededRandom(1)).meters;
      const payload = encodeResult({
        version: 1,
        ...about,
        sequence,
        outcome: signOutcome({ outcome, signer }),
        meters: meters.map((meter) => ({ ...meter, profiles: [], peaks: [], extremes: [] })),
      });
      const { sealed, receiptKey } = world.seal(device, { payload, owner: ORES, kind: 'result' });
      const answer = await bus.ask('up.result', device.device, sealed);
      if (answer.kind === 'refused') return answer.reason;
      return readReceipt(receiptKey, answer.receipt, { ...about, sequence });
    }

    it('that is away, takes readings and tells results to come later', async () => {
      await start();
      expect(await sendResult(1)).toMatchObject({ verdict: 'later' });
      expect(await send(1)).toMatchObject({ verdict: 'delivered' });
      expect(counters.snapshot()).toMatchObject({ 'result.later': 1, delivered: 1, received: 1 });
    });

    it('that stands still, keeps the place of readings: results have a bound of their own', async () => {
      await start({ desk: { heldMax: 2, answerWithinMs: 500 } });
      const answer = Promise.withResolvers<Uint8Array>();
      await bus.serve('desk.outcome', () => answer.promise);
      const results = [sendResult(1), sendResult(2), sendResult(3)];
      expect(await results[2]).toBe('overloaded');
      expect(await send(2)).toMatchObject({ verdict: 'delivered' });
      expect(counters.get('result.held')).toBe(2);
      answer.resolve(encodeDeskAnswer({ kind: 'taken' }));
      expect(await Promise.all(results.slice(0, 2))).toMatchObject(Array(2).fill({ verdict: 'delivered' }));
    });

    it('has its outcome and the MDM the reading, once, however often the result comes', async () => {
      await start();
      const outcomes: Uint8Array[] = [];
      await bus.serve('desk.outcome', async ({ body }) => {
        outcomes.push(Buffer.from(body));
        return encodeDeskAnswer({ kind: 'taken' });
      });
      expect(await sendResult(4)).toMatchObject({ verdict: 'delivered' });
      expect(await sendResult(5)).toMatchObject({ verdict: 'delivered' });
      expect(mdm.counts()).toMatchObject({ accepted: 1, duplicates: 1 });
      expect(outcomes).toHaveLength(2);
    });
  });

  it('withholds the receipt of delivery when the MDM times out, and effect is once when the device comes again', async () => {
    await start();
    mdm.setFaults({ hangUpAfterTaking: true });
    expect(await send(1)).toMatchObject({ verdict: 'later' });
    mdm.setFaults();
    expect(await send(1)).toMatchObject({ verdict: 'duplicate' });
    expect(mdm.counts()).toMatchObject({ accepted: 1 });
  });

  it('answers in its time when the MDM never does', async () => {
    await start();
    mdm.setFaults({ hang: true });
    const startedMs = performance.now();
    expect(await send(2)).toMatchObject({ verdict: 'later' });
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  it('sheds what is beyond its bound before it decrypts anything', async () => {
    await start({ limits: { answerWithinMs: 1_000, heldMax: 2 } });
    mdm.setFaults({ delayMs: 100 });
    const answers = await Promise.all([send(3), send(4), send(5)]);
    expect(answers[2]).toBe('overloaded');
    expect(answers.slice(0, 2)).toMatchObject([{ verdict: 'delivered' }, { verdict: 'delivered' }]);
    expect(counters.get('uplink.held')).toBe(0);
  });

  it('takes a new revocation list into force without a restart', async () => {
    const thief = world.device(ORES);
    const crl = join(world.directory, 'crl.pem');
    writeFileSync(crl, readFileSync(world.pki.layout.crl(ORES)));
    const { trust } = configOf();
    await start({ trust: { ...trust, revocations: [crl], reloadSeconds: 1 } });
    expect(await send(6, thief)).toMatchObject({ verdict: 'delivered' });
    revokeDevice(world.pki, thief, { nowMs: Date.now() });
    writeFileSync(crl, readFileSync(world.pki.layout.crl(ORES)));
    await expect
      .poll(() => send(7, thief), { timeout: 5_000, interval: 200 })
      .toMatchObject({ verdict: 'refused', code: 'revoked' });
  });

  it('refuses a device that it remembers as soon as it is told to read its lists, as by SIGHUP', async () => {
    const thief = world.device(ORES);
    const { trust } = configOf();
    const list = [world.pki.layout.crl(ORES)];
    await start({ trust: { ...trust, revocations: list, reloadSeconds: 86_400 } });
    expect(await send(6, thief)).toMatchObject({ verdict: 'delivered' });
    revokeDevice(world.pki, thief, { nowMs: Date.now() });
    await router!.reload();
    expect(await send(7, thief)).toMatchObject({ verdict: 'refused', code: 'revoked' });
    // It says, too, how long what it relies on is good for.
    for (const name of ['sealing', 'root', 'issuing.ores'])
      expect(counters.get(`certificate.days_left.${name}`), name).toBeGreaterThan(365);
    expect(counters.get('crl.days_left.ores')).toBeGreaterThan(365);
  });

  it('finishes what it has begun when it is stopped', async () => {
    await start();
    mdm.setFaults({ delayMs: 50 });
    const open = send(8);
    await router!.stop();
    expect(await open).toMatchObject({ verdict: 'delivered' });
    router = undefined;
  });

  it('delivers in batches, each reading once, and holds nothing afterwards', async () => {
    await start({}, { inFlightMax: 1 });
    const receipts = await Promise.all(Array.from({ length: 60 }, (_, at) => send(100 + at)));
    expect(receipts.every((receipt) => typeof receipt !== 'string' && receipt.verdict === 'delivered')).toBe(
      true,
    );
    expect(mdm.counts()).toMatchObject({ accepted: 60, duplicates: 0, misrouted: 0 });
    expect(mdm.counts().requests).toBeLessThan(10);
    expect(counters.snapshot()).toMatchObject({
      received: 60,
      delivered: 60,
      'mdm.held': 0,
      'uplink.held': 0,
    });
  });
});
