import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { manualClock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { silentLog } from '../../runtime/log.ts';
import { seededRandom } from '../../runtime/random.ts';
import { inspectOperations } from '../operations/inspect.ts';
import { nodeFiles } from '../outbox/files.ts';
import type { Snapshot } from '../source.ts';
import { Office, sealFor } from '../testing/commanded.ts';
import { DAY, deviceBench } from '../testing/device.ts';
import { IMPORT_DAY, meter, ORES, register, snapshot } from '../testing/meters.ts';
import type { EdgeSource } from './edge-source.ts';
import { certificatesOf } from './identity.ts';
import { MeteringTime } from './metering-time.ts';
import { readOnlyCommands } from './read-only.ts';
import { DeviceRunner, type RunnerOptions } from './runner.ts';

const bench = deviceBench();
const open: DeviceRunner[] = [];
afterEach(async () => {
  for (const runner of open.splice(0)) await runner.close();
});

/** A source that shows what it is told to, and ends when it is told to. */
function handSource(extra: Partial<EdgeSource> = {}) {
  let show: (snapshot: Snapshot) => void = () => {};
  const end = Promise.withResolvers<void>();
  const source: EdgeSource = {
    name: 'hand',
    channels: null,
    ends: false,
    recorded: false,
    isUnfinished: () => false,
    run: async (observe, signal) => {
      show = observe;
      signal.addEventListener('abort', () => end.resolve());
      await end.promise;
    },
    status: () => ({ name: 'hand', kind: 'modbus', meters: [] }),
    ...extra,
  };
  return { source, end: () => end.resolve(), show: (one: Snapshot) => show(one) };
}

function stage(extra: Partial<RunnerOptions> = {}, sourceExtra: Partial<EdgeSource> = {}) {
  const metering = manualClock(DAY.start * 1_000);
  const hand = handSource(sourceExtra);
  const told: string[] = [];
  const note = (_: object, text: string): void => void told.push(text);
  const log = { info: () => {}, warn: note, error: note } as unknown as Log;
  let monotonicMs = 0;
  const runner = new DeviceRunner({
    directory: bench.directory,
    loaded: {
      identity: bench.identity,
      certificates: certificatesOf(bench.identity),
      owners: () => ORES,
    },
    sources: [hand.source],
    headEnd: { host: '127.0.0.1', port: bench.headEnd.port },
    development: true,
    limits: { schedule: { jitterMs: 0 }, uplink: { receiptGraceMs: 100 } },
    closeAfterSeconds: 300,
    time: new MeteringTime({ kind: 'real' }, metering),
    log: Object.assign(Object.create(silentLog) as Log, { child: () => log }),
    counters: bench.counters,
    random: seededRandom('runner'),
    fatal: (error) => {
      throw error;
    },
    monotonicMs: () => monotonicMs,
    ...extra,
  });
  open.push(runner);
  const at = (second: number): void => {
    metering.set(second * 1_000);
    hand.show(snapshot(second, [meter([register(IMPORT_DAY, 1_000 + second - DAY.start)])]));
  };
  const patience = (ms: number): void => {
    monotonicMs += ms;
  };
  return { runner, metering, hand, told, at, patience };
}

const outbox = (runner: DeviceRunner) => runner.status().outbox;

describe('a device of the service', () => {
  it('closes a day when its late captures had their time, not before, and delivers it', async () => {
    const { runner, at } = stage();
    await runner.start();
    at(DAY.start);
    at(DAY.end - 1);
    at(DAY.end);
    runner.tick();
    await delay(20);
    expect(runner.status()).toMatchObject({ openDays: 1, outbox: { pending: 0 } });
    at(DAY.end + 300);
    await vi.waitFor(() => expect(runner.status().openDays).toBe(0));
    runner.tick();
    await vi.waitFor(() => expect(runner.status().lastReceipt).not.toBeNull());
    expect(runner.status()).toMatchObject({
      lastReceipt: { owner: ORES, day: DAY.name, verdict: 'delivered' },
      lastWake: { failure: null },
      lastClosedDay: { [ORES]: DAY.name },
      outbox: { pending: 0 },
      trouble: null,
    });
    expect(bench.headEnd.received).toHaveLength(1);
  });

  it('keeps a day open while the disk is full, says so once, and closes it when there is room', async () => {
    let full = true;
    const refuse = (): never => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    };
    const files = {
      ...nodeFiles,
      append: (...words: Parameters<typeof nodeFiles.append>) =>
        full ? refuse() : nodeFiles.append(...words),
      appendDurably: async (...words: Parameters<typeof nodeFiles.appendDurably>) =>
        full ? refuse() : nodeFiles.appendDurably(...words),
      replace: (...words: Parameters<typeof nodeFiles.replace>) =>
        full ? refuse() : nodeFiles.replace(...words),
      replaceDurably: async (...words: Parameters<typeof nodeFiles.replaceDurably>) =>
        full ? refuse() : nodeFiles.replaceDurably(...words),
    };
    const { runner, at, told, patience } = stage({ files });
    await runner.start();
    at(DAY.start);
    at(DAY.end);
    at(DAY.end + 301);
    for (let turn = 0; turn < 5; turn++) {
      await delay(10);
      patience(600_000);
      runner.tick();
    }
    await vi.waitFor(() =>
      expect(bench.counters.get('edge.trouble.close.ERR_OUTBOX_WRITE')).toBeGreaterThan(2),
    );
    expect(told.filter((text) => text.includes('cannot be closed'))).toHaveLength(1);
    expect(runner.status()).toMatchObject({ openDays: 1, trouble: 'ERR_OUTBOX_WRITE' });
    full = false;
    await vi.waitFor(() => {
      patience(600_000);
      runner.tick();
      expect(runner.status()).toMatchObject({ openDays: 0, trouble: null });
    });
  });

  it('is tried again when it could not be opened, and runs then', async () => {
    const blocker = stage().runner;
    await blocker.start();
    const { runner, patience, told } = stage();
    await expect(runner.start()).rejects.toMatchObject({ code: 'ERR_OUTBOX_LOCKED' });
    runner.failed(Object.assign(new Error('locked'), { code: 'ERR_OUTBOX_LOCKED' }));
    expect(outbox(runner)).toBeNull();
    await blocker.close();
    await vi.waitFor(() => {
      patience(600_000);
      runner.tick();
      expect(outbox(runner)).toMatchObject({ pending: 0, parked: 0 });
    });
    expect(told).toHaveLength(1);
  });

  it('says once what a source shows that cannot be taken, counts it, and goes on', async () => {
    const { runner, hand, told, at } = stage();
    await runner.start();
    at(DAY.start);
    const many = Array.from({ length: 9 }, (_, channel) => meter([], { channel, serial: `M${channel}` }));
    for (const second of [1, 2, 3]) hand.show(snapshot(DAY.start + second, many));
    expect(runner.status().trouble).toBe('ERR_EDGE_METERS');
    expect(told).toHaveLength(1);
    expect(bench.counters.get('edge.trouble.observe.ERR_EDGE_METERS')).toBe(3);
    at(DAY.start + 4);
    expect(runner.status().trouble).toBeNull();
  });

  it('is done when its sources have ended and all that they gave has its receipt, jitter or not', async () => {
    const { runner, hand, at } = stage(
      { limits: { schedule: { jitterMs: 4 * 3_600_000 }, uplink: { receiptGraceMs: 100 } } },
      { ends: true, recorded: true },
    );
    await runner.start();
    at(DAY.start);
    at(DAY.end);
    expect(runner.isDone).toBe(false);
    hand.end();
    await vi.waitFor(() => {
      runner.tick();
      expect(runner.isDone).toBe(true);
    });
    expect(bench.headEnd.received).toHaveLength(1);
    expect(runner.isIncomplete).toBe(false);
  });

  it('is done, and not complete, when a recording left a day open', async () => {
    const { runner, hand, at } = stage({}, { ends: true, recorded: true, isUnfinished: () => true });
    await runner.start();
    at(DAY.start);
    hand.end();
    await vi.waitFor(() => expect(runner.isDone).toBe(true));
    expect(runner.isIncomplete).toBe(true);
    expect(outbox(runner)).toMatchObject({ pending: 0 });
  });

  it('takes commands, tells how its registers stand, and refuses what a port cannot do', async () => {
    const office = new Office(bench.headEnd.pki, { nowMs: Date.now });
    const { device } = bench.identity;
    const waiting = [
      office.command(device, 'p1.set', { on: false }),
      office.command(device, 'airplane.on', {}),
      office.command(device, 'read.now', { registers: [] }),
    ];
    bench.headEnd.dispatch = (tenant) => {
      const command = tenant === ORES ? waiting.shift() : undefined;
      if (command !== undefined)
        bench.headEnd.send(ORES, device, sealFor(bench.identity, ORES, office.sign(command)));
    };
    const config = { commands: { stay: true, everySeconds: null }, clock: { kind: 'real' } } as const;
    const loaded = {
      identity: bench.identity,
      certificates: certificatesOf(bench.identity),
      owners: () => ORES,
    };
    const commands = readOnlyCommands(config, { identity: 'file', owners: [], sources: [] }, loaded);
    const { runner, hand } = stage({
      commands,
      limits: { schedule: { jitterMs: 0, backoffBaseMs: 1 }, uplink: { receiptGraceMs: 100 } },
    });
    await runner.start();
    const now = Math.floor(Date.now() / 1_000);
    hand.show(
      snapshot(now, [meter([register(IMPORT_DAY, 4_711)]), meter([], { channel: 1, medium: 'gas' })]),
    );
    await vi.waitFor(() => {
      runner.tick();
      expect(runner.status().commands).toMatchObject({ waiting: 0, connected: true });
      expect(bench.headEnd.results).toHaveLength(3);
    });
    expect(bench.headEnd.results.map(({ outcome }) => outcome.code)).toEqual([
      'unsupported',
      'unsupported',
      null,
    ]);
    expect(bench.headEnd.results[2]!.result.meters[0]!.registers[0]).toMatchObject({ value: 4_711 });
    expect(runner.status().commands!.last).toMatchObject({ type: 'read.now', state: 'executed' });
    await runner.close();
    expect(inspectOperations(bench.directory, device)).toEqual({ waiting: 0, silentSinceMs: null });
  });

  it('is not complete when an owner refused a day', async () => {
    bench.headEnd.answer = () => ({ verdict: 'refused', code: 'schema' });
    const { runner, hand, at } = stage({}, { ends: true, recorded: true });
    await runner.start();
    at(DAY.start);
    at(DAY.end);
    hand.end();
    await vi.waitFor(() => {
      runner.tick();
      expect(runner.isDone).toBe(true);
    });
    expect(runner.isIncomplete).toBe(true);
    expect(outbox(runner)).toMatchObject({ parked: 1 });
  });
});
