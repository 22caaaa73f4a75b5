import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeviceId } from '../../protocol/identity.ts';
import { TestFolder } from '../support/chaos-folder.ts';
import { Hes, type HesEnd, runHes } from '../support/chaos-hes.ts';
import { FleetVisitor } from '../support/fleet-socket.ts';
import { until } from '../support/processes.ts';

/**
 * Everything as a newcomer has it: `hes up`, people who command with `hes op`, and somebody who stands in front of
 * the meters. Each test has a meter of its own, in the order of their names.
 */
const folder = new TestFolder();
const data = folder.join('data');
const fleet = new FleetVisitor(data);
let up: Hes;
let meters: readonly DeviceId[];

interface Listed {
  readonly device: DeviceId;
  readonly home: string;
  readonly medium: string;
  readonly breaker: string | null;
  readonly airplane: boolean;
  readonly creditMode: string;
}

const hes = (...words: readonly string[]): Promise<HesEnd> => runHes(['--data', data, ...words]);

/** Those that two people sign, and that ask for the meter's EAN unless told `--yes`. */
const CRITICAL = ['prepay activate', 'breaker open', 'airplane on'];

/** A command as a person gives it, waited for to its end; critical ones are approved by the second person. */
async function command(...words: readonly string[]): Promise<Record<string, unknown>> {
  const order = [...words, '--reason', 'test', '--json', '--as', 'ores/operator'];
  const isCritical = CRITICAL.includes(words.slice(0, 2).join(' '));
  const proposed = await hes('op', ...order, ...(isCritical ? ['--yes'] : []));
  if (proposed.stdout === '') throw new Error(proposed.stderr);
  const told = JSON.parse(proposed.stdout) as { id: string; state: string };
  const { id } = told;
  if (told.state === 'awaiting-approval')
    expect((await hes('op', 'approve', id, '--as', 'ores/approver')).code).toBe(0);
  let last: Record<string, unknown> = told;
  await until(
    `${words.join(' ')} ends: ${proposed.stderr}`,
    async () => {
      last = JSON.parse((await hes('op', 'show', id, '--json', '--as', 'ores/supervisor')).stdout);
      return ['executed', 'refused', 'failed', 'unknown', 'expired'].includes(String(last['state']));
    },
    120_000,
  );
  return last;
}

async function listed(): Promise<readonly Listed[]> {
  const { stdout } = await hes('meter', 'list', '--json', '--as', 'ores/supervisor');
  const lines = stdout.trim().split('\n');
  return lines.flatMap((line) => JSON.parse(line) as Listed | Listed[]);
}

const meter = async (device: DeviceId): Promise<Listed> =>
  (await listed()).find((one) => one.device === device)!;

beforeAll(async () => {
  const config = folder.twoTenants();
  up = new Hes(['up', '--data', data, '--config', config, '--port', '0', '--meters', '24', '--speed', '2']);
  await until(
    `the desks are there: ${up.stderr}`,
    () => existsSync(folder.join('data', 'desks.json')),
    120_000,
  );
  const all = await listed();
  meters = all
    .filter(({ home, medium }) => home === 'ores' && medium === 'electricity')
    .map(({ device }) => device);
  expect(meters.length).toBeGreaterThan(6);
});
afterAll(async () => {
  up.kill('SIGINT', 'group');
  const { code } = await up.end();
  expect(code).toBe(0);
  expect(existsSync(folder.join('data', 'fleet.sock'))).toBe(false);
  folder.remove();
});

describe('a meter of hes up', () => {
  it('shows a tariff change on its display and at its customer port', async () => {
    const [device] = meters;
    const before = await fleet.shows(device!, 'it is connected', ({ connected }) => connected === true);
    expect(before).toMatchObject({ simulated: true, tariff: { plan: 'mono' }, breaker: 'closed' });
    expect(before.p1).toContain('0-0:96.14.0(0001)');
    expect(await command('tariff', 'set', device!, '--plan', 'bi', '--from', '2026-01-01')).toMatchObject({
      state: 'executed',
    });
    const { tariff, p1 } = await fleet.screen(device!);
    expect(tariff.plan).toBe('bi');
    expect(p1).toContain(`0-0:96.14.0(000${tariff.rate})`);
    const printed = await hes('emulate', 'screen', device!);
    expect(printed.stdout).toContain('SIMULATED METER');
    expect(printed.stdout).toMatch(/Tariff +bi, rate/);
  });

  it('shows the screens of prepayment once two people said so, button by button', async () => {
    const device = meters[1]!;
    expect(await command('prepay', 'activate', device)).toMatchObject({ state: 'executed' });
    const shown = [(await fleet.screen(device)).display.shown];
    for (let press = 0; press < 2; press++) shown.push((await fleet.press(device)).screen.display.shown);
    expect(shown.map((one) => one?.name)).toEqual(['last-update', 'balance', 'emergency-credit']);
    expect(shown.map((one) => one?.text).slice(1)).toEqual(['20.00 €', '15.00 €']);
    expect(await meter(device)).toMatchObject({ creditMode: 'prepaid' });
  });

  it('is closed by a hand and by nothing else, and its desk hears of that', async () => {
    const device = meters[2]!;
    expect(await command('breaker', 'open', device, '--cause', 'works')).toMatchObject({ state: 'executed' });
    expect(await fleet.screen(device)).toMatchObject({ breaker: 'open' });
    expect((await fleet.press(device)).did).toBe('nothing');
    expect(await command('breaker', 'arm', device, '--cause', 'works')).toMatchObject({ state: 'executed' });
    const armed = await fleet.screen(device);
    expect(armed).toMatchObject({ breaker: 'armed', display: { symbols: { arrow: 'blinking' } } });
    expect(armed.p1).toContain('0-0:96.3.10(2)');
    expect((await hes('emulate', 'press', device)).stdout).toContain('the supply is on again');
    await until(
      'the desk hears of the button',
      async () => (await meter(device)).breaker === 'closed',
      120_000,
    );
  });

  it('has all of it after its process was killed', async () => {
    const [cut, prepaid] = [meters[3]!, meters[4]!];
    await command('breaker', 'open', cut, '--cause', 'works');
    await command('prepay', 'activate', prepaid);
    const [fleetProcess] = await up.running('fleet');
    process.kill(fleetProcess!.pid, 'SIGKILL');
    await until('it is gone', () => !up.tree().some(({ pid }) => pid === fleetProcess!.pid), 60_000);
    await fleet.shows(
      cut,
      'the breaker stays open',
      (one) => one.breaker === 'open' && one.connected === true,
    );
    await fleet.shows(prepaid, 'it stays prepaid', (one) => one.creditMode === 'prepaid');
    expect(await command('message', cut, 'Bonjour')).toMatchObject({
      state: 'executed',
    });
    expect((await fleet.screen(cut)).message).toBe('Bonjour');
  });

  it('is silent in airplane mode until somebody in front of it ends that', async () => {
    const device = meters[5]!;
    expect(await command('airplane', 'on', device)).toMatchObject({ state: 'executed' });
    await fleet.shows(device, 'it is silent', (one) => one.connected === false);
    expect(await meter(device)).toMatchObject({ airplane: true });
    const refused = await hes('op', 'read', device, '--reason', 'test', '--json', '--as', 'ores/operator');
    expect(refused.code).not.toBe(0);
    expect((await hes('emulate', 'airplane-off', device, '--json')).stdout).toContain('"did":"ended"');
    await until('the desk hears of its end', async () => !(await meter(device)).airplane, 120_000);
    expect(await command('read', device)).toMatchObject({ state: 'executed' });
  });

  it('leaves no file of commands where none came', () => {
    const untouched = meters.at(-1)!;
    expect(readdirSync(folder.join('data', 'devices', untouched))).not.toContain('hardware.json');
    expect(readdirSync(folder.join('data', 'devices', untouched))).not.toContain('operations');
  });
});

describe('whoever asks for a meter that is not there', () => {
  it('hears that no fleet runs, or that it has no such device', async () => {
    const nowhere = await runHes(['emulate', 'screen', meters[0]!, '--data', folder.join('nowhere')]);
    expect(nowhere).toMatchObject({ code: 3, stdout: '' });
    expect(nowhere.stderr).toContain('ERR_FLEET_NOT_RUNNING');
    expect(await hes('emulate', 'screen', '0'.repeat(16))).toMatchObject({ code: 11 });
    expect(await hes('emulate', 'screen', 'kitchen')).toMatchObject({ code: 2 });
  });
});
