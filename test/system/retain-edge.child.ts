import { join } from 'node:path';
import { z } from 'zod';
import {
  dayAfter,
  dayAt,
  type LocalDay,
  offsetMinutesAt,
  QUARTER_SECONDS,
} from '../../gateway/edge/days/calendar.ts';
import { EdgeDevice, type WakeResult } from '../../gateway/edge/device.ts';
import { readTelegrams } from '../../gateway/edge/p1/reader.ts';
import { telegramSnapshot } from '../../gateway/edge/p1/snapshot.ts';
import type { MeterSnapshot, Snapshot } from '../../gateway/edge/source.ts';
import { type Frozen, loadConfig } from '../../gateway/runtime/config.ts';
import { tellParent } from '../../gateway/runtime/parent.ts';
import { type RunningService, runService, type ServiceContext } from '../../gateway/runtime/service.ts';
import { encodeTelegramBytes } from '../../meter-emulator/p1/encode.ts';
import { stateOf } from '../../meter-emulator/p1/example.ts';
import { deviceIdentityFile } from '../../pki/development/development.ts';
import { readDeviceIdentity } from '../../pki/identity.ts';
import { type DeviceId, isDeviceId, isTenantId, type TenantId } from '../../protocol/identity.ts';
import type { ObisCode, Timestamp } from '../../protocol/reading.ts';
import type { CanaryMeter } from '../support/canaries.ts';

/**
 * The meters of the canary run, as a process of its own: real edges that read canaries, close a day with them and
 * send it when told to.
 */
const tenant = z.custom<TenantId>(isTenantId);
const schema = z.strictObject({
  devices: z.string(),
  port: z.int(),
  /** How many days before today the canaries are; the days after it are for other traffic. */
  daysBack: z.int(),
  meters: z.array(
    z.strictObject({
      name: z.string(),
      device: z.custom<DeviceId>(isDeviceId),
      home: tenant,
      owner: tenant,
      ean: z.string(),
      serial: z.string(),
      closing: z.int(),
      curve: z.array(z.int()).readonly(),
      p1: z.boolean(),
    }),
  ),
});
type Meter = Frozen<z.output<typeof schema>>['meters'][number];

/** Days of other traffic that a device sends at once: less than an outbox holds. */
const TRAFFIC_DAYS = 100;

const timestamp = (epochSeconds: number): Timestamp => ({
  epochSeconds,
  offsetMinutes: offsetMinutesAt(epochSeconds),
});

runService('edge', async ({ log, counters }: ServiceContext): Promise<RunningService> => {
  const config = await loadConfig(schema, { file: '-' });
  const edges = Map.groupBy(config.meters, ({ device }) => device)
    .entries()
    .map(([device, meters]) => {
      const ownerOf = new Map(meters.map(({ serial, owner }) => [serial, owner]));
      const edge = EdgeDevice.open({
        directory: join(config.devices, device),
        identity: readDeviceIdentity(deviceIdentityFile(config.devices, device)),
        owners: ({ serial }) => ownerOf.get(serial) ?? meters[0]!.home,
        headEnd: { host: '127.0.0.1', port: config.port, servername: 'localhost' },
        limits: { uplink: { answerTimeoutMs: 120_000 } },
        random: () => 0,
        // The days of this test begin years back, before this program was: they are taken as recordings are.
        missedDays: 'skip',
        development: true,
        log,
        counters,
      });
      return { edge, meters };
    })
    .toArray();
  const canaryDay = dayAfter(dayAt(Date.now() / 1_000), -config.daysBack);
  for (const { edge, meters } of edges) {
    for (let quarter = 0; quarter <= canaryDay.quarters; quarter += 1)
      edge.observe(canarySnapshot(meters, canaryDay, quarter));
    await edge.closeDay(canaryDay);
  }

  let nextDay = dayAfter(canaryDay);
  const wakeAll = async (): Promise<Pick<WakeResult, 'delivered' | 'duplicates' | 'failed' | 'later'>> => {
    const results = await Promise.all(edges.map(({ edge }) => edge.wake()));
    const sum = (of: 'delivered' | 'duplicates' | 'failed' | 'later') =>
      results.reduce((total, result) => total + result[of], 0);
    return {
      delivered: sum('delivered'),
      duplicates: sum('duplicates'),
      failed: sum('failed'),
      later: sum('later'),
    };
  };
  const traffic = async (): Promise<void> => {
    for (let days = 0; days < TRAFFIC_DAYS; days += 1) {
      for (const { edge, meters } of edges) {
        for (let quarter = 0; quarter <= nextDay.quarters; quarter += 1)
          edge.observe(ordinarySnapshot(meters, nextDay, quarter));
        await edge.closeDay(nextDay);
      }
      nextDay = dayAfter(nextDay);
    }
  };
  process.on('message', (message: { readonly say?: string }) => {
    const work = message.say === 'traffic' ? traffic().then(wakeAll) : wakeAll();
    void work.then((result) => tellParent({ type: 'notice', notice: result }));
  });
  const pending = edges.reduce((total, { edge }) => total + edge.pending(), 0);
  return {
    details: { pending },
    stop: async () => {
      for (const { edge } of edges) await edge.close();
    },
  };
});

/** What the meters behind one device show at the end of a quarter-hour of the day of the canaries. */
function canarySnapshot(meters: readonly Meter[], day: LocalDay, quarter: number): Snapshot {
  const at = timestamp(day.start + quarter * QUARTER_SECONDS);
  const shown = meters.map((meter) => {
    const value = meter.closing - sumOf(meter.curve, quarter, day.quarters);
    return meter.p1 ? throughP1(meter, value, at) : directly(meter, value);
  });
  return { at, meterTime: at, meters: shown.flat() };
}

/** What the quarter-hours from one to before another add. */
function sumOf(curve: readonly number[], from: number, until: number): number {
  let sum = 0;
  for (let quarter = from; quarter < until; quarter += 1) sum += curve[quarter % curve.length]!;
  return sum;
}

/** Printed as a telegram and read from it again, as from a cable. */
function throughP1(
  { ean, serial }: CanaryMeter,
  importWh: number,
  time: Timestamp,
): readonly MeterSnapshot[] {
  const state = stateOf(1, { ean, serial, time, importWh: [importWh, 1_000], devices: [], closedPeaks: [] });
  const { telegrams } = readTelegrams(encodeTelegramBytes('emucs-2.1.1', state));
  return telegramSnapshot(telegrams[0]!, time).meters;
}

function directly({ ean, serial }: CanaryMeter, value: number): readonly MeterSnapshot[] {
  return [
    {
      medium: 'electricity',
      channel: 0,
      serial,
      ean,
      registers: [{ obis: '1-0:1.8.1' as ObisCode, value, scaler: 0, unit: 'Wh', time: null, flags: 0 }],
      peaks: [],
      instants: [],
      flags: 0,
    },
  ];
}

/** The same meters replaced by ordinary ones, so that only what was kept of before can still be found. */
function ordinarySnapshot(meters: readonly Meter[], day: LocalDay, quarter: number): Snapshot {
  const at = timestamp(day.start + quarter * QUARTER_SECONDS);
  const value = (day.ordinal % 1_000) * 10_000 + quarter * 73;
  const shown = directly({ ...meters[0]!, ean: '541448820000000016', serial: '1SAG1100000292' }, value);
  return { at, meterTime: at, meters: shown };
}
