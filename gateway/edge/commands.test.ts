import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Command } from '../../protocol/command/command.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { parseObisCode } from '../../protocol/obis.ts';
import { QUALITY } from '../../protocol/reading.ts';
import { commandBench, commandsFor, SILENT, SOON, until } from './testing/commanded.ts';
import { deviceBench, liveDays } from './testing/device.ts';
import { FARYS, ORES } from './testing/meters.ts';

const bench = deviceBench();
const { command, seal, p1, queue, outcomes, show } = commandBench(bench);

describe('a device that wakes', () => {
  test('takes what waits for it, one after the other, in one connection and without lingering', async () => {
    const commands = commandsFor(bench.identity);
    const device = await bench.startDevice(commands);
    await liveDays(device, 2);
    const until = Math.floor(bench.clock.nowMs() / 1_000) + 3_600;
    const message = command('display.message', { text: 'Bonjour', until });
    queue(p1(false), message, p1(true));
    const result = await device.wake();
    expect(result).toMatchObject({ delivered: 4, connections: 1, commands: 3, results: 3, failure: null });
    expect(outcomes()).toEqual(['executed', 'executed', 'executed']);
    expect(bench.headEnd.subscribed).toEqual(
      [ORES, FARYS].map((tenant) => `t/${tenant}/${bench.identity.device}/down/command`),
    );
    expect(commands.hardware.done).toEqual([
      { kind: 'port', on: false },
      { kind: 'port', on: true },
    ]);
    expect(device.operations!.view(bench.clock.nowMs())).toMatchObject({ message: 'Bonjour', port: true });
    expect(device.connected).toBe(false);
    expect(device.nextWakeMs()).toBeNull();
  });

  test('leaves no file, and no trace in its wake, where nobody commands it', async () => {
    const device = await bench.startDevice(commandsFor(bench.identity));
    await liveDays(device, 1, { guest: false });
    expect(await device.wake()).toMatchObject({ delivered: 1, connections: 1, commands: 0, results: 0 });
    await device.close();
    expect(existsSync(join(bench.directory, 'operations'))).toBe(false);
    expect(existsSync(join(bench.directory, 'operations.lock'))).toBe(false);
  });

  test('wakes for commands alone where it is told to', async () => {
    const device = await bench.startDevice(commandsFor(bench.identity, { everyMs: 60_000 }));
    const nextMs = device.nextWakeMs()!;
    expect(nextMs).toBeLessThanOrEqual(bench.clock.nowMs() + 60_000);
    queue(p1(false));
    expect(await device.wake()).toMatchObject({ connections: 1, commands: 1, results: 1 });
    expect(device.nextWakeMs()).toBe(bench.clock.nowMs() + 60_000);
  });

  test('comes again soon where it found no head-end, not a whole interval later', async () => {
    const device = await bench.startDevice(commandsFor(bench.identity, { everyMs: 86_400_000 }), {
      headEnd: { host: '127.0.0.1', port: 1 },
      limits: { schedule: { backoffBaseMs: 1_000 } },
    });
    bench.clock.advance(86_400_000);
    expect(device.nextWakeMs()).toBeLessThanOrEqual(bench.clock.nowMs());
    const { failure } = await device.wake();
    expect(failure?.code).toBe('ERR_UPLINK_CONNECT');
    expect(device.nextWakeMs()).toBeLessThanOrEqual(bench.clock.nowMs() + 4_000);
  });

  test('gives its readings all the same where its subscription is refused, or not answered', async () => {
    const device = await bench.startDevice(commandsFor(bench.identity), { limits: SILENT });
    for (const subscription of ['refuse', 'silence'] as const) {
      bench.headEnd.subscription = subscription;
      await liveDays(device, 1, { guest: false });
      expect(await device.wake()).toMatchObject({ failed: 0, failure: null, commands: 0 });
    }
    expect(bench.counters.snapshot()['edge.subscribe.refused']).toBe(2);
  });
});

describe('a result', () => {
  test('waits where it is asked to come later, is sent again under its number, and is not executed twice', async () => {
    const commands = commandsFor(bench.identity);
    const device = await bench.startDevice(commands, { limits: SOON });
    bench.headEnd.answerResult = () => ({ verdict: 'later', seconds: 30 });
    queue(p1(false));
    expect(await device.wake()).toMatchObject({ commands: 1, results: 0 });
    const nextMs = device.nextWakeMs()!;
    expect(nextMs).toBeGreaterThanOrEqual(bench.clock.nowMs() + 30_000);
    expect(nextMs).toBeLessThanOrEqual(bench.clock.nowMs() + 45_000);
    bench.headEnd.answerResult = () => ({ verdict: 'duplicate' });
    bench.clock.set(nextMs);
    expect(await device.wake()).toMatchObject({ commands: 0, results: 1 });
    const [first, second] = bench.headEnd.results;
    expect(second!.result.sequence).toBe(first!.result.sequence);
    expect(second!.outcome).toEqual(first!.outcome);
    expect(commands.hardware.count('port')).toBe(1);
    expect(device.nextWakeMs()).toBeNull();
  });

  test.each(['silence', 'puback-only', 'close'] as const)(
    'outlives %s in place of a receipt, and the process',
    async (answer) => {
      const commands = commandsFor(bench.identity);
      const device = await bench.startDevice(commands, { limits: SILENT });
      bench.headEnd.answerResult = () => answer;
      queue(p1(false));
      expect(await device.wake()).toMatchObject({ results: 0 });
      bench.abandon(device);
      bench.headEnd.answerResult = () => ({ verdict: 'delivered' });
      const again = await bench.startDevice(commands, { limits: SOON });
      expect(again.nextWakeMs()).not.toBeNull();
      expect(await again.wake()).toMatchObject({ commands: 0, results: 1 });
      expect(outcomes()).toEqual(['executed', 'executed']);
      expect(commands.hardware.count('port')).toBe(1);
      expect(again.commandStatus()).toMatchObject({ waiting: 0 });
      bench.headEnd.held = 0;
    },
  );

  test('that nobody wants any more is let go', async () => {
    const device = await bench.startDevice(commandsFor(bench.identity));
    bench.headEnd.answerResult = () => ({ verdict: 'refused', code: 'identity' });
    queue(p1(false));
    expect(await device.wake()).toMatchObject({ results: 1 });
    expect(device.commandStatus()!.waiting).toBe(0);
  });

  test('of read.now has the registers of its tenant as they stand, and nobody else’s', async () => {
    const device = await bench.startDevice(commandsFor(bench.identity));
    show(device);
    const read = (tenant: TenantId, registers: readonly string[]): Command =>
      command('read.now', { registers: registers.map(parseObisCode) }, { tenant });
    queue(read(ORES, []), read(FARYS, []), read(ORES, ['0-2:24.2.1']), read(ORES, ['1-0:2.8.1']));
    await device.wake();
    const by = (tenant: TenantId) => bench.headEnd.results.filter((result) => result.tenant === tenant);
    expect(by(ORES).map(({ outcome }) => outcome.code)).toEqual([null, 'owner', null]);
    const meters = by(ORES)[0]!.result.meters;
    expect(meters.map(({ channel }) => channel)).toEqual([0]);
    expect(meters[0]!.registers[0]).toMatchObject({ value: 1_234 });
    expect(meters[0]!.registers[0]!.time!.epochSeconds).toBe(Math.floor(bench.clock.nowMs() / 1_000));
    expect(by(FARYS)[0]!.result.meters).toMatchObject([{ channel: 2, registers: [{ value: 77 }] }]);
    expect(by(ORES)[1]!.result.meters).toEqual([]);
  });

  test('of read.now fails where nothing was seen for an hour, and says so where it was some time ago', async () => {
    const device = await bench.startDevice(commandsFor(bench.identity));
    const read = (): Command => command('read.now', { registers: [] });
    queue(read());
    await device.wake();
    show(device);
    bench.clock.advance(20 * 60_000);
    queue(read());
    await device.wake();
    expect(outcomes()).toEqual(['channel', 'executed']);
    expect(bench.headEnd.results[1]!.result.meters[0]!.flags & QUALITY.stale).toBe(QUALITY.stale);
  });
});

describe('a device that stays', () => {
  test('takes commands and answers them at once, without being woken', async () => {
    const device = await bench.startDevice(commandsFor(bench.identity, { stay: true }), { limits: SOON });
    expect(await device.wake()).toMatchObject({ connections: 1 });
    expect(device.connected).toBe(true);
    expect(device.nextWakeMs()).toBeNull();
    for (let count = 1; count <= 5; count++) {
      expect(bench.headEnd.send(ORES, bench.identity.device, seal(p1(count % 2 === 0)))).toBe(true);
      await until(() => device.commandStatus()!.waiting === 0 && bench.headEnd.results.length === count);
    }
    await liveDays(device, 1);
    expect(await device.wake()).toMatchObject({ delivered: 2, connections: 0, commands: 5, results: 5 });
    expect(bench.headEnd.handshakes).toHaveLength(1);
  });

  test('comes back after a loss, with what it could not say, and not before its time', async () => {
    const device = await bench.startDevice(commandsFor(bench.identity, { stay: true }), {
      limits: { schedule: { backoffBaseMs: 60_000, jitterMs: 0 } },
    });
    await device.wake();
    bench.headEnd.answerResult = () => 'close';
    bench.headEnd.send(ORES, bench.identity.device, seal(p1(false)));
    await until(() => !device.connected && bench.headEnd.results.length === 1);
    await until(() => device.nextWakeMs() !== null);
    const nextMs = device.nextWakeMs()!;
    expect(nextMs).toBeLessThanOrEqual(bench.clock.nowMs() + 60_000);
    bench.headEnd.answerResult = () => ({ verdict: 'delivered' });
    bench.clock.set(Math.max(bench.clock.nowMs(), nextMs));
    expect(await device.wake()).toMatchObject({ connections: 1 });
    // An owner that gave no receipt is left alone by itself.
    bench.clock.advance(60_000);
    await device.wake();
    expect(device.commandStatus()!.waiting).toBe(0);
    expect(outcomes()).toEqual(['executed', 'executed']);
    expect(device.connected).toBe(true);
  });

  test('lets go when it is told not to stay', async () => {
    const device = await bench.startDevice(commandsFor(bench.identity, { stay: true }), { limits: SOON });
    await device.wake();
    device.setStay(false);
    await until(() => !device.connected && bench.headEnd.connected === 0);
    expect(device.nextWakeMs()).toBeNull();
  });

  test('tells at once what somebody does at the meter', async () => {
    const device = await bench.startDevice(commandsFor(bench.identity, { stay: true }), { limits: SOON });
    await device.wake();
    const { device: id } = bench.identity;
    bench.headEnd.send(ORES, id, seal(command('breaker.open', { cause: 'works' })));
    await until(() => bench.headEnd.results.length === 1);
    bench.headEnd.send(ORES, id, seal(command('breaker.arm', { cause: 'works' })));
    await until(() => bench.headEnd.results.length === 2);
    expect(bench.headEnd.reports).toEqual([]);
    await device.operations!.happen({ kind: 'button', channel: 0, heldMs: 100 }, bench.clock.nowMs());
    await until(() => bench.headEnd.reports.length === 1 && device.commandStatus()!.waiting === 0);
    expect(bench.headEnd.reports[0]).toMatchObject({ breaker: 'closed', airplaneSince: null });
  });
});

describe('a report', () => {
  test('waits through refusal of a connection and a restart, and the newest stands for all', async () => {
    const commands = commandsFor(bench.identity);
    const device = await bench.startDevice(commands, { limits: SILENT });
    queue(command('limiter.set', { powerW: 1_000 }));
    await device.wake();
    const { operations } = device;
    for (let second = 0; second <= 12; second++)
      await operations!.happen({ kind: 'load', powerW: 5_000 }, bench.clock.nowMs() + second * 1_000);
    expect(operations!.view(bench.clock.nowMs()).breaker).toBe(0);
    expect(device.nextWakeMs()).not.toBeNull();
    bench.headEnd.answerReport = () => 'silence';
    await device.wake();
    expect(bench.headEnd.reports).toHaveLength(1);
    bench.abandon(device);
    bench.headEnd.answerReport = () => ({ verdict: 'delivered' });
    const again = await bench.startDevice(commands, { limits: SOON });
    await again.operations!.tick(bench.clock.nowMs() + 60_000);
    expect(await again.wake()).toMatchObject({ results: 1 });
    expect(bench.headEnd.reports.map((report) => 'breaker' in report && report.breaker)).toEqual([
      'open',
      'armed',
    ]);
    expect(again.commandStatus()!.waiting).toBe(0);
    bench.headEnd.held = 0;
  });
});
