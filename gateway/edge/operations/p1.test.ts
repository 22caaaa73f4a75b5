import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { MeterConditions } from '../../../meter-emulator/meter/meter.ts';
import { encodeTelegramBytes, type P1MeterState } from '../../../meter-emulator/p1/encode.ts';
import { stateOf } from '../../../meter-emulator/p1/example.ts';
import { presetWindows } from '../../../protocol/command/presets.ts';
import { parseTelegram } from '../p1/parse.ts';
import type { P1Telegram } from '../p1/telegram.ts';
import { Operations } from './operations.ts';
import { FakeHardware } from './testing/hardware.ts';
import { INSTALLATION, JUNE_MS, testMeter } from './testing/meter.ts';
import { commandOf, ORES, signed, trust } from './testing/people.ts';
import type { MeterView } from './view.ts';

/** What an emulated meter lays over what its household counts. */
const conditions = (view: MeterView): MeterConditions => ({
  breaker: view.breaker,
  limiterW: view.limiterW,
  message: view.message,
});

function printed(view: MeterView): P1Telegram {
  const usual = stateOf(1);
  const state: P1MeterState = {
    ...usual,
    ...conditions(view),
    rate: view.register,
    devices: usual.devices.map((device) => ({
      ...device,
      valve: view.valves.find(({ channel }) => channel === device.channel)?.position ?? device.valve,
    })),
  };
  const outcome = parseTelegram(encodeTelegramBytes('emucs-2.1.1', state).subarray(0, -2));
  if (!outcome.ok) throw new Error(outcome.fault);
  return outcome.telegram;
}

describe('what commands do, at the customer port', () => {
  it('is printed as a meter prints it, and read back', async () => {
    const meter = await testMeter();
    const view = () => meter.operations.view(meter.nowMs);
    const before = printed(view());
    expect(before).toMatchObject({ breaker: 1, tariff: 1, text: null });
    const until = JUNE_MS / 1_000 + 1_000;
    const windows = presetWindows(ORES, 'bi', '2026-06-01')!;
    for (const command of [
      commandOf('display.message', { text: 'Coupure demain à 9 h – 5 €', until }, JUNE_MS),
      commandOf('limiter.set', { powerW: 2_300 }, JUNE_MS),
      commandOf('tariff.set', { plan: 'bi', windows, from: '2026-06-01' }, JUNE_MS),
      commandOf('valve.close', { channel: 1, cause: 'works' }, JUNE_MS),
      commandOf('breaker.open', { cause: 'works' }, JUNE_MS),
    ])
      expect(await meter.outcome(command)).toBe('executed');
    const after = printed(view());
    const text = 'Coupure demain à 9 h – 5 €';
    expect(after).toMatchObject({ breaker: 0, tariff: 1, text, limiter: { value: 2_300, unit: 'W' } });
    expect(printed(meter.operations.view(JUNE_MS + 2 * 3_600_000)).tariff).toBe(2);
    expect(after.channels.find(({ channel }) => channel === 1)?.valve).toBe(0);
    expect(await meter.outcome(commandOf('breaker.arm', { cause: 'works' }, JUNE_MS))).toBe('executed');
    expect(printed(view()).breaker).toBe(2);
    await meter.end();
  });
});

describe('a real file system', () => {
  it('keeps what commands did, for the device’s own eyes', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hes-operations-'));
    const options = {
      directory,
      installation: INSTALLATION,
      hardware: new FakeHardware(),
      trust,
      nowMs: JUNE_MS,
    };
    const first = await Operations.open(options);
    const command = commandOf('limiter.set', { powerW: 2_300 }, JUNE_MS);
    // Given three times at once, as an impatient carrier does.
    const message = { signed: signed(command), tenant: ORES };
    const receipts = await Promise.all([1, 2, 3].map(() => first.receive(message, JUNE_MS)));
    expect(new Set(receipts.map((receipt) => receipt.answered && receipt.result.sequence)).size).toBe(1);
    expect(options.hardware.done).toHaveLength(1);
    await first.close();
    expect(statSync(join(directory, 'operations')).mode & 0o777).toBe(0o600);
    const second = await Operations.open(options);
    expect(second.view(JUNE_MS).limiterW).toBe(2_300);
    expect(second.results().map(({ id }) => id)).toEqual([command.id]);
    await second.close();
    rmSync(directory, { recursive: true });
  });
});
