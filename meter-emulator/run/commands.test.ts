import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Office, sealFor } from '../../gateway/edge/testing/commanded.ts';
import { FakeHeadEnd } from '../../gateway/edge/testing/head-end.ts';
import { systemClock } from '../../gateway/runtime/clock.ts';
import { parseConfig } from '../../gateway/runtime/config.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { silentLog } from '../../gateway/runtime/log.ts';
import { deviceIdentityFile } from '../../pki/files/layout.ts';
import { readDeviceIdentity, saveDeviceIdentity } from '../../pki/identity.ts';
import { presetWindows } from '../../protocol/command/presets.ts';
import type { ArgumentsOf, CommandType } from '../../protocol/command/table.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { fleetConfig } from '../config.ts';
import { askFleet } from '../control/client.ts';
import { fleetSocketPath } from '../control/paths.ts';
import type { FleetQuestion } from '../control/protocol.ts';
import { type DevicePlan, planFleet } from '../fleet.ts';
import { HOLD_MS, PRESS_MS } from '../operations/buttons.ts';
import { provisionFleet } from '../provision.ts';
import { type RunningFleet, startFleet } from '../start.ts';

/** A fleet under command, its head-end and the people of one operator in one process. */
const ORES = 'ores' as TenantId;
const TENANTS = [{ id: ORES, name: 'ORES', media: ['electricity', 'gas'] as const }];
const FLEET = { seed: 7, meters: 6, tenants: TENANTS };
const { devices } = planFleet(FLEET);
/** With gas behind it. */
const GASEOUS = devices.find(({ meters }) => meters.length > 1)!;
const OTHER = devices.find(({ id, source }) => id !== GASEOUS.id && source === 'p1')!;
/** Longer than any of it takes on a machine that is busy with other tests. */
const PATIENCE = { timeout: 40_000, interval: 10 };
const TEST_MS = 120_000;

let home: string;
let data: string;
let headEnd: FakeHeadEnd;
let office: Office;
let counters: Counters;
let running: RunningFleet | undefined;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'hes-fleet-commands-'));
  headEnd = await FakeHeadEnd.start(join(home, 'pki'), [ORES]);
  office = new Office(headEnd.pki, systemClock);
  await provisionFleet({ devices, data: join(home, 'enrolled'), pki: headEnd.pki, nowMs: Date.now() });
});
afterAll(async () => {
  await headEnd.stop();
  rmSync(home, { recursive: true });
});
beforeEach(() => {
  data = mkdtempSync(join(home, 'd-'));
  cpSync(join(home, 'enrolled'), data, { recursive: true });
  headEnd.reset();
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

/** `speed`: simulated days a second; none of them ends unless it is told. */
async function start({ speed = 0.001, stayMax = 500 } = {}): Promise<void> {
  counters = new Counters();
  const config = parseConfig(fleetConfig, {
    data,
    front: { host: '127.0.0.1', port: headEnd.port },
    source: { kind: 'emulated', seed: 7, meters: 6, tenants: [{ id: ORES }], sampling: 'close' },
    run: { kind: 'continuous', jitterHours: 0 },
    clock: {
      kind: 'simulated',
      originMs: Date.parse('2026-06-15T09:50:00Z'),
      startedAtMs: Date.now(),
      speed: speed * 86_400,
    },
    limits: { retryBaseMs: 10, retryMaxMs: 50 },
    commands: { stayMax },
  });
  running = await startFleet({ config, log: silentLog, counters });
}

const awake = (plan: DevicePlan): Promise<void> =>
  vi.waitFor(() => expect(headEnd.isAwake(ORES, plan.id)).toBe(true), PATIENCE);
const ask = (plan: DevicePlan, question: { do: FleetQuestion['do']; on?: boolean; heldMs?: number }) =>
  askFleet(data, { ...question, device: plan.id } as FleetQuestion);
const screen = async (plan: DevicePlan) => (await ask(plan, { do: 'screen' })).screen;
const shows = (plan: DevicePlan, what: object): Promise<void> =>
  vi.waitFor(async () => expect(await screen(plan)).toMatchObject(what), PATIENCE);

/** A command on its way; resolves with what the device says came of it. */
async function command<T extends CommandType>(
  { id }: DevicePlan,
  type: T,
  args: ArgumentsOf<T>,
): Promise<string> {
  const made = office.command(id, type, args);
  const identity = readDeviceIdentity(deviceIdentityFile(join(data, 'devices'), id));
  headEnd.send(ORES, id, sealFor(identity, ORES, office.sign(made)));
  const outcome = () => headEnd.results.find((one) => one.outcome.command === made.id)?.outcome;
  await vi.waitFor(() => expect(outcome()).toBeDefined(), PATIENCE);
  return outcome()!.code ?? 'executed';
}

describe('a fleet that lives with the clock', { timeout: TEST_MS }, () => {
  it('keeps its devices connected up to its bound, and nothing on the disk of those without a command', async () => {
    await start({ stayMax: 2 });
    await Promise.all(devices.slice(0, 2).map(awake));
    expect(headEnd.connected).toBe(2);
    expect(readdirSync(join(data, 'devices', devices[0]!.id)).toSorted()).toEqual([
      'identity.json',
      'outbox.lock',
    ]);
    // The others show themselves to whoever stands in front of them.
    expect(await screen(devices[4]!)).toMatchObject({ connected: false, breaker: 'closed' });
    await running!.stop();
    expect(existsSync(fleetSocketPath(data))).toBe(false);
  });

  it('obeys at once: tariff, port, message, limiter and breaker show on the display and at P1', async () => {
    await start();
    await awake(GASEOUS);
    const before = await screen(GASEOUS);
    expect(before).toMatchObject({ connected: true, tariff: { plan: 'mono', rate: 1 } });
    expect(before.p1).toContain('0-0:96.3.10(1)');
    const windows = presetWindows(ORES, 'bi', '2026-06-01')!;
    expect(await command(GASEOUS, 'tariff.set', { plan: 'bi', windows, from: '2026-01-01' })).toBe(
      'executed',
    );
    const until = Math.floor(Date.now() / 1_000) + 3_600;
    await command(GASEOUS, 'display.message', { text: 'Bonjour', until });
    await command(GASEOUS, 'limiter.set', { powerW: 99_900 });
    await command(GASEOUS, 'breaker.open', { cause: 'works' });
    const after = await screen(GASEOUS);
    expect(after).toMatchObject({
      tariff: { plan: 'bi' },
      breaker: 'open',
      limiterW: 99_900,
      message: 'Bonjour',
    });
    expect(after.p1).toEqual(
      expect.arrayContaining([
        '0-0:96.3.10(0)',
        `0-0:96.14.0(000${after.tariff.rate})`,
        `0-0:96.13.0(${Buffer.from('Bonjour').toString('hex').toUpperCase()})`,
      ]),
    );
    await command(GASEOUS, 'p1.set', { on: false });
    expect(await screen(GASEOUS)).toMatchObject({ port: 'off', p1: null });
  });

  it('reports what a hand at the meter did', async () => {
    await start();
    await awake(GASEOUS);
    await command(GASEOUS, 'breaker.open', { cause: 'works' });
    await command(GASEOUS, 'breaker.arm', { cause: 'works' });
    expect(await ask(GASEOUS, { do: 'press', heldMs: PRESS_MS })).toMatchObject({
      did: 'closed',
      screen: { breaker: 'closed' },
    });
    await vi.waitFor(() => expect(headEnd.reports.at(-1)).toMatchObject({ breaker: 'closed' }), PATIENCE);
  });

  it('reads its registers when it is asked, the same ones as its curve has', async () => {
    await start();
    await awake(GASEOUS);
    expect(await command(GASEOUS, 'read.now', { registers: [] })).toBe('executed');
    const { meters } = headEnd.results.at(-1)!.result;
    expect(meters.map(({ medium }) => medium)).toEqual(GASEOUS.meters.map(({ medium }) => medium));
    expect(meters[0]!.registers.length).toBeGreaterThanOrEqual(4);
  });

  it('loses nothing when its process is killed: breaker, valve, prepayment and airplane mode', async () => {
    await start();
    await awake(GASEOUS);
    const credit = { startCreditCents: 2_000, lowCreditAlertCents: 500, emergencyCreditCents: 1_500 };
    await command(GASEOUS, 'prepayment.activate', credit);
    await command(GASEOUS, 'breaker.open', { cause: 'safety' });
    await command(GASEOUS, 'valve.close', { channel: 1, cause: 'works' });
    await command(GASEOUS, 'valve.arm', { channel: 1, cause: 'works' });
    await awake(OTHER);
    await command(OTHER, 'airplane.on', {});
    await shows(OTHER, { display: { symbols: { communication: false } } });
    const before = await screen(GASEOUS);
    // As kill -9 leaves it: the files as they are at this moment, and nothing of its memory.
    const left = mkdtempSync(join(home, 'k-'));
    cpSync(data, left, {
      recursive: true,
      filter: (path) => !path.endsWith('.sock') && !path.endsWith('.lock'),
    });
    await running!.stop();
    data = left;
    await start();
    const { connected: _, p1: __, ...same } = before;
    await shows(GASEOUS, same);
    expect(same).toMatchObject({ breaker: 'open', creditMode: 'prepaid' });
    expect(await ask(GASEOUS, { do: 'press', heldMs: HOLD_MS })).toMatchObject({ did: 'leak-test' });
    expect(await screen(OTHER)).toMatchObject({ connected: false, display: { symbols: { airplane: true } } });
    expect(await ask(OTHER, { do: 'airplane-off' })).toMatchObject({ did: 'ended' });
    await awake(OTHER);
  });

  it('has no power where the street has none, and is back with it', async () => {
    await start();
    await awake(GASEOUS);
    expect((await ask(GASEOUS, { do: 'power', on: false })).screen).toMatchObject({ power: 'off', p1: null });
    await vi.waitFor(() => expect(headEnd.isAwake(ORES, GASEOUS.id)).toBe(false), PATIENCE);
    await expect(ask(GASEOUS, { do: 'press', heldMs: PRESS_MS })).rejects.toMatchObject({
      code: 'ERR_EMULATED_POWER',
    });
    await ask(GASEOUS, { do: 'power', on: true });
    await awake(GASEOUS);
    await shows(GASEOUS, { power: 'on', breaker: 'closed' });
  });

  it('owes no index in airplane mode, and gives the one of now when somebody ends it', async () => {
    await start({ speed: 1 });
    await awake(GASEOUS);
    await vi.waitFor(() => expect(counters.get('fleet.delivered.ores')).toBeGreaterThan(5), PATIENCE);
    expect(await command(GASEOUS, 'airplane.on', {})).toBe('executed');
    await shows(GASEOUS, { display: { symbols: { airplane: true, communication: false } } });
    const ofIt = () => headEnd.received.filter(({ device }) => device === GASEOUS.id).length;
    const others = () => headEnd.received.length - ofIt();
    const [its, theirs] = [ofIt(), others()];
    await vi.waitFor(() => expect(others()).toBeGreaterThan(theirs + 4), PATIENCE);
    expect(ofIt()).toBe(its);
    await vi.waitFor(() => expect(counters.get('fleet.outstanding')).toBe(0), PATIENCE);
    expect(await ask(GASEOUS, { do: 'airplane-off' })).toMatchObject({ did: 'ended' });
    await vi.waitFor(() => expect(ofIt()).toBeGreaterThan(its), PATIENCE);
    await awake(GASEOUS);
    await vi.waitFor(() => expect(counters.get('fleet.outstanding')).toBe(0), PATIENCE);
    expect(await ask(GASEOUS, { do: 'airplane-off' })).toMatchObject({ did: 'not-silent' });
  });

  it('knows no device of another fleet', async () => {
    await start();
    await expect(askFleet(data, { do: 'screen', device: '0'.repeat(16) as never })).rejects.toMatchObject({
      code: 'ERR_FLEET_DEVICE',
    });
  });
});

describe('a data folder from before there were offices', () => {
  it('has its devices told whose commands they may believe; one that is damaged is left for the device to say', async () => {
    const folder = join(data, 'devices');
    const [old, damaged] = [devices[0]!, devices[1]!];
    const { office: anchors, ...without } = readDeviceIdentity(deviceIdentityFile(folder, old.id));
    saveDeviceIdentity(folder, without);
    rmSync(deviceIdentityFile(folder, damaged.id));
    cpSync(join(home, 'pki', 'manifest.json'), deviceIdentityFile(folder, damaged.id));
    expect(await provisionFleet({ devices, data, pki: headEnd.pki, nowMs: Date.now() })).toBe(0);
    expect(readDeviceIdentity(deviceIdentityFile(folder, old.id)).office).toEqual(anchors);
    expect(() => readDeviceIdentity(deviceIdentityFile(folder, damaged.id))).toThrow();
  });
});
