import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Operations } from '../../gateway/edge/operations/operations.ts';
import { codeOf, INSTALLATION, JUNE_MS } from '../../gateway/edge/operations/testing/meter.ts';
import { commandOf, type Name, ORES, signed, trust } from '../../gateway/edge/operations/testing/people.ts';
import { manualClock } from '../../gateway/runtime/clock.ts';
import type { Command } from '../../protocol/command/command.ts';
import { CommandedMeter, type CommandedMeterOptions } from './commanded-meter.ts';
import { screenOf } from './screen.ts';

let directory: string;
const clock = manualClock(JUNE_MS);
const opened: Operations[] = [];
const LEAK_TEST_MS = 20;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hes-commanded-'));
  clock.set(JUNE_MS);
});
afterEach(async () => {
  for (const operations of opened.splice(0)) await operations.close();
  rmSync(directory, { recursive: true });
});

async function open(options: Partial<CommandedMeterOptions> = {}): Promise<CommandedMeter> {
  const meter = new CommandedMeter({
    directory,
    installation: INSTALLATION,
    clock,
    leakTestMs: LEAK_TEST_MS,
    ...options,
  });
  const { hardware } = meter;
  const operations = await Operations.open({
    directory,
    installation: INSTALLATION,
    hardware,
    trust,
    nowMs: clock.nowMs(),
  });
  opened.push(operations);
  meter.attach(operations);
  return meter;
}

/** What a process that is killed leaves: its files, and nothing of its memory. */
async function kill(meter: CommandedMeter): Promise<CommandedMeter> {
  meter.stop();
  await opened.pop()!.close();
  return open();
}

const give = async (meter: CommandedMeter, command: Command, first?: Name, second?: Name): Promise<string> =>
  codeOf(
    await meter.operations.receive({ signed: signed(command, first, second), tenant: ORES }, clock.nowMs()),
  );
const cut = () => commandOf('breaker.open', { cause: 'works' }, clock.nowMs());
const arm = () => commandOf('breaker.arm', { cause: 'works' }, clock.nowMs());
const closeValve = () => commandOf('valve.close', { channel: 1, cause: 'works' }, clock.nowMs());
const armValve = () => commandOf('valve.arm', { channel: 1, cause: 'works' }, clock.nowMs());
const valveOf = (meter: CommandedMeter) => meter.view().valves.find(({ channel }) => channel === 1);
const screen = (meter: CommandedMeter, telegram = '') =>
  screenOf(meter, { connected: true, telegram: () => telegram });

describe('the hardware of an emulated meter', () => {
  it('leaves no file while nothing was moved', async () => {
    const meter = await open();
    expect(screen(meter)).toMatchObject({
      breaker: 'closed',
      creditMode: 'credit',
      tariff: { plan: 'mono' },
    });
    expect(readdirSync(directory).filter((name) => name.includes('hardware'))).toEqual([]);
  });

  it('stays where it was moved, whatever becomes of the process, and says that it is simulated', async () => {
    let meter = await open();
    expect(await give(meter, cut())).toBe('executed');
    expect(await give(meter, commandOf('limiter.set', { powerW: 2_300 }, JUNE_MS))).toBe('executed');
    meter = await kill(meter);
    expect(meter.view()).toMatchObject({ breaker: 0, limiterW: 2_300 });
    expect(meter.hardware.standing({ kind: 'breaker', position: 0 })).toBe(true);
    expect(meter.hardware.standing({ kind: 'breaker', position: 1 })).toBe(false);
    expect(meter.hardware.standing({ kind: 'limiter', powerW: 2_300 })).toBe(true);
    const file = join(directory, 'hardware.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ simulated: true, breaker: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('does not know where it stands when its note is damaged, until it is moved again', async () => {
    let meter = await open();
    await give(meter, cut());
    writeFileSync(join(directory, 'hardware.json'), '{"version":1,"breaker":7}');
    meter = await kill(meter);
    expect(meter.hardware.standing({ kind: 'breaker', position: 0 })).toBeUndefined();
    expect(await give(meter, arm())).toBe('executed');
    expect(meter.hardware.standing({ kind: 'breaker', position: 2 })).toBe(true);
  });

  it('has a clock that is told what it shows already, and makes no key', async () => {
    const meter = await open();
    const now = JUNE_MS / 1_000;
    expect(await give(meter, commandOf('clock.sync', { time: now }, JUNE_MS))).toBe('executed');
    expect(await meter.hardware.perform({ kind: 'clock', time: now - 3_600 })).toBe('hardware');
    expect(await give(meter, commandOf('credential.renew', { key: 'tls' }, JUNE_MS))).toBe('hardware');
  });

  it('finds no meter on a channel where none hangs', async () => {
    const { hardware } = await open();
    expect(await hardware.perform({ kind: 'reach', channel: 4 })).toBe('channel');
    expect(await hardware.perform({ kind: 'reach', channel: 2 })).toBe('done');
    expect(await hardware.perform({ kind: 'valve', channel: 3, position: 0 })).toBe('channel');
  });
});

describe('its button', () => {
  it('closes what is ready, and nothing else', async () => {
    const meter = await open();
    expect(await meter.press(100)).toBe('nothing');
    await give(meter, cut());
    expect(await meter.press(100)).toBe('nothing');
    await give(meter, arm());
    expect(screen(meter)).toMatchObject({ breaker: 'armed', display: { symbols: { arrow: 'blinking' } } });
    expect(await meter.press(100)).toBe('closed');
    expect(screen(meter).breaker).toBe('closed');
  });

  it('leads through the screens of prepayment', async () => {
    const meter = await open();
    const credit = { startCreditCents: 2_000, lowCreditAlertCents: 500, emergencyCreditCents: 1_500 };
    await give(meter, commandOf('prepayment.activate', credit, JUNE_MS), 'pam', 'bea');
    const shown = [];
    for (let press = 0; press < 3; press++) {
      shown.push(screen(meter).display.shown?.name);
      expect(await meter.press(100)).toBe('next-screen');
    }
    expect(shown).toEqual(['last-update', 'balance', 'emergency-credit']);
  });

  it('is held for gas, which flows once it was found tight', async () => {
    const meter = await open();
    await give(meter, closeValve());
    await give(meter, armValve());
    expect(await meter.press(100)).toBe('nothing');
    expect(await meter.press(3_000)).toBe('leak-test');
    expect(valveOf(meter)).toMatchObject({ position: 2, testing: true });
    await vi.waitFor(() => expect(valveOf(meter)).toMatchObject({ position: 1, testing: false }));
  });

  it('lets no gas through where there is a leak', async () => {
    const meter = await open({ isTight: () => false });
    await give(meter, closeValve());
    await give(meter, armValve());
    await meter.press(3_000);
    await vi.waitFor(() => expect(valveOf(meter)?.testing).toBe(false));
    expect(valveOf(meter)?.position).toBe(2);
    expect(meter.hardware.standing({ kind: 'valve', channel: 1, position: 2 })).toBe(true);
  });

  it('tests again after a start whose process was killed in the middle of a test', async () => {
    let meter = await open({ leakTestMs: 3_600_000 });
    await give(meter, closeValve());
    await give(meter, armValve());
    await meter.press(3_000);
    meter = await kill(meter);
    await vi.waitFor(() => expect(valveOf(meter)).toMatchObject({ position: 1, testing: false }));
  });
});

describe('its power', () => {
  it('fails: the display is dark, the button does nothing, a breaker stays and gas comes back tested', async () => {
    let meter = await open();
    await give(meter, cut());
    await meter.setPower(false);
    expect(screen(meter, '0-0:96.3.10(0)')).toMatchObject({ power: 'off', p1: null });
    expect(meter.conditions().port).toBe(false);
    await expect(meter.press(100)).rejects.toMatchObject({ code: 'ERR_EMULATED_POWER' });
    expect(await meter.hardware.perform({ kind: 'port', on: false })).toBe('hardware');
    meter = await kill(meter);
    expect(meter.power).toBe(false);
    await meter.setPower(true);
    expect(screen(meter)).toMatchObject({ power: 'on', breaker: 'open' });
    expect(valveOf(meter)).toMatchObject({ testing: true });
    await vi.waitFor(() => expect(valveOf(meter)).toMatchObject({ position: 1, testing: false }));
  });
});

describe('its load', () => {
  it('trips a limiter, which rests and is then ready; without a limit nobody asks for it', async () => {
    const meter = await open();
    const load = vi.fn(() => 5_000);
    await meter.tick(load);
    expect(load).not.toHaveBeenCalled();
    await give(meter, commandOf('limiter.set', { powerW: 2_300 }, JUNE_MS));
    const pass = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second++) {
        clock.advance(1_000);
        await meter.tick(load);
      }
    };
    await pass(12);
    expect(meter.view().breaker).toBe(0);
    await pass(31);
    expect(meter.view().breaker).toBe(2);
    expect(await meter.press(100)).toBe('closed');
  });
});

describe('its screen', () => {
  it('shows what commands did and the lines of P1 concerned, no register, no serial number and no EAN', async () => {
    const meter = await open();
    const telegram = [
      '/FLU5\\253SIM221_A',
      '',
      '0-0:96.1.4(50221)',
      '0-0:96.1.1(3153414733303035)',
      '0-0:1.0.0(260601100000S)',
      '1-0:1.8.1(000123.456*kWh)',
      '0-0:96.14.0(0001)',
      '0-0:96.3.10(1)',
      '0-1:96.3.10(0)',
      '0-0:17.0.0(99.999*kW)',
      '0-0:96.13.0()',
      '0-1:24.1.0(003)',
      '0-1:96.1.1(37464C4F)',
      '0-1:24.4.0(1)',
      '0-1:24.2.3(260601100000S)(00012.345*m3)',
      '!1234',
    ].join('\r\n');
    expect(screen(meter, telegram).p1).toEqual([
      '0-0:96.1.1(…)',
      '0-0:1.0.0(260601100000S)',
      '0-0:96.14.0(0001)',
      '0-0:96.3.10(1)',
      '0-0:17.0.0(99.999*kW)',
      '0-0:96.13.0()',
      '0-1:96.1.1(…)',
      '0-1:24.4.0(1)',
    ]);
    await give(meter, commandOf('p1.set', { on: false }, JUNE_MS));
    expect(screen(meter, telegram)).toMatchObject({ port: 'off', p1: null });
  });
});
