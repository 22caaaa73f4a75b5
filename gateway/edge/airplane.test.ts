import { describe, expect, test } from 'vitest';
import { dayAfter, dayAt, QUARTER_SECONDS } from './days/calendar.ts';
import type { EdgeDevice } from './device.ts';
import { commandBench, commandsFor, SILENT, SOON, until } from './testing/commanded.ts';
import { deviceBench, liveDays } from './testing/device.ts';
import { IMPORT_DAY, meter, ORES, register, snapshot } from './testing/meters.ts';

const bench = deviceBench();
const { command, queue, outcomes, show } = commandBench(bench);
const airplane = () => command('airplane.on', {});

describe('airplane mode', () => {
  const silentDevice = async (stay = false): Promise<EdgeDevice> => {
    const device = await bench.startDevice(commandsFor(bench.identity, { stay }), { limits: SOON });
    show(device);
    queue(airplane());
    await device.wake();
    return device;
  };

  test.each([false, true])('acknowledges, and then nothing is sent (stays: %s)', async (stay) => {
    const device = await silentDevice(stay);
    expect(outcomes()).toEqual(['executed']);
    await until(() => !device.connected && bench.headEnd.connected === 0);
    expect(device.operations!.silent).toBe(true);
    expect(device.nextWakeMs()).toBeNull();
    await liveDays(device, 3);
    show(device);
    expect(device.pending()).toBe(0);
    expect(device.nextWakeMs()).toBeNull();
    expect(await device.wake()).toMatchObject({ connections: 0, delivered: 0 });
    expect(device.commandStatus()).toMatchObject({ connected: false, silentSinceMs: expect.any(Number) });
    expect(bench.headEnd.handshakes).toHaveLength(1);
  });

  test('sends nothing but the acknowledgement while that has no receipt', async () => {
    const device = await bench.startDevice(commandsFor(bench.identity), { limits: SILENT });
    await liveDays(device, 2);
    bench.headEnd.answer = () => 'silence';
    bench.headEnd.answerResult = () => 'close';
    queue(airplane());
    await device.wake();
    const before = bench.headEnd.received.length;
    expect(device.pending()).toBe(4);
    bench.headEnd.answerResult = () => ({ verdict: 'later', seconds: 1 });
    bench.clock.advance(60_000);
    await device.wake();
    expect(bench.headEnd.received).toHaveLength(before);
    bench.headEnd.answerResult = () => ({ verdict: 'delivered' });
    bench.clock.advance(60_000);
    await device.wake();
    expect(bench.headEnd.received).toHaveLength(before);
    expect(device.operations!.silent).toBe(true);
    expect(new Set(outcomes())).toEqual(new Set(['executed']));
    bench.headEnd.held = 0;
  });

  test('lasts over a restart', async () => {
    const device = await silentDevice();
    await device.close();
    const again = await bench.startDevice(commandsFor(bench.identity, { stay: true, everyMs: 1 }));
    expect(again.nextWakeMs()).toBeNull();
    expect(await again.wake()).toMatchObject({ connections: 0 });
  });

  test('of some days leaves each of them the index as it stood at the end, and no quarter-hour', async () => {
    const device = await bench.startDevice(commandsFor(bench.identity), { limits: SOON });
    const first = dayAfter(dayAt(bench.clock.nowMs() / 1_000));
    const every = (from: number, to: number): void => {
      for (let time = from; time <= to; time += QUARTER_SECONDS)
        device.observe(snapshot(time, [meter([register(IMPORT_DAY, time - first.start)])]));
    };
    bench.clock.set((first.start + 12 * 3_600) * 1_000);
    every(first.start, first.start + 12 * 3_600);
    queue(airplane());
    await device.wake();
    const third = dayAfter(first, 2);
    every(first.start + 12 * 3_600 + QUARTER_SECONDS, third.start + 6 * 3_600);
    expect(device.due()).toEqual([]);
    bench.clock.set((third.start + 6 * 3_600) * 1_000);
    await device.operations!.happen({ kind: 'end-airplane' }, bench.clock.nowMs());
    every(third.start + 6 * 3_600 + QUARTER_SECONDS, third.end);
    await until(() => device.pending() >= 2);
    await device.closeDay();
    bench.clock.set(third.end * 1_000);
    bench.headEnd.received.length = 0;
    await device.wake();
    const days = bench.headEnd.received.map(({ day, meters: [own] }) => ({
      day,
      value: own!.registers[0]!.value,
      known: (own!.profiles[0]?.deltas ?? []).flatMap((delta, quarter) => (delta === null ? [] : [quarter])),
    }));
    const atEnd = third.start + 6 * 3_600 + QUARTER_SECONDS - first.start;
    const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
    expect(days).toEqual([
      { day: first.name, value: atEnd, known: range(0, 48) },
      { day: dayAfter(first).name, value: atEnd, known: [] },
      { day: third.name, value: third.end - first.start, known: range(25, third.quarters) },
    ]);
  });

  test('ends at the meter: a report and the index as it stands go at once, with no profile', async () => {
    const device = await silentDevice();
    bench.headEnd.received.length = 0;
    bench.clock.advance(1_800_000);
    await device.operations!.happen({ kind: 'end-airplane' }, bench.clock.nowMs());
    show(device, 5_678);
    await until(() => device.pending() === 2);
    expect(device.nextWakeMs()).toBeLessThanOrEqual(bench.clock.nowMs());
    expect(await device.wake()).toMatchObject({ delivered: 2, results: 1 });
    expect(bench.headEnd.reports.at(-1)).toMatchObject({ airplaneSince: null });
    const [index] = bench.headEnd.received.filter(({ tenant }) => tenant === ORES);
    expect(index!.meters[0]).toMatchObject({ registers: [{ value: 5_678 }], profiles: [], extremes: [] });
    expect(index!.capturedAt.epochSeconds).toBe(Math.floor(bench.clock.nowMs() / 1_000));
    const ordinal = dayAt(bench.clock.nowMs() / 1_000).ordinal;
    expect(device.closedThrough(ORES)).toBe(ordinal - 1);
  });
});
