import type { DatabaseSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import type { DeviceId } from '../../../../protocol/identity.ts';
import type { Meter } from '../../registry/meter.ts';
import type { Eans } from '../port.ts';
import type { Row } from './commands.ts';

/** The registry. Lists and plans are JSON within a row: nobody asks for meters by them. */

export function meterOf(row: Row): Meter {
  const parsed = (column: string): unknown => JSON.parse(String(row[column]));
  return {
    ...row,
    channels: parsed('channels'),
    tariffPlanned: row['tariffPlanned'] === null ? null : parsed('tariffPlanned'),
    followedAt: parsed('followedAt'),
  } as unknown as Meter;
}

const COLUMNS = [
  'device',
  'home',
  'medium',
  'channels',
  'certificate',
  'lastSeenMs',
  'creditMode',
  'tariffPlan',
  'tariffPlanned',
  'airplaneSince',
  'breaker',
  'followedAt',
] as const satisfies readonly (keyof Meter)[];

export function meterReader(database: DatabaseSync) {
  const byDevice = database.prepare('SELECT * FROM meters WHERE device = ?');
  const byEan = database.prepare('SELECT channel FROM eans WHERE device = ? AND ean = ? ORDER BY channel');
  return {
    channelsWithEan: (device: DeviceId, ean: string): readonly number[] =>
      byEan.all(device, ean).map(({ channel }) => Number(channel)),
    meter(device: DeviceId): Meter | undefined {
      const row = byDevice.get(device);
      return row === undefined ? undefined : meterOf(row);
    },
  };
}

export function meterWriter(database: DatabaseSync) {
  const put = database.prepare(`
    INSERT INTO meters (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map((name) => `$${name}`).join(', ')})
    ON CONFLICT (device) DO UPDATE SET ${COLUMNS.slice(1)
      .map((name) => `${name} = $${name}`)
      .join(', ')}`);
  const eansOf = database.prepare('SELECT channel, ean FROM eans WHERE device = ?');
  const forgetEans = database.prepare('DELETE FROM eans WHERE device = ?');
  const putEan = database.prepare('INSERT INTO eans (device, channel, ean) VALUES (?, ?, ?)');
  const { meter } = meterReader(database);
  const names = COLUMNS.join(', ');
  const keep = database.prepare(
    `INSERT INTO withdrawnMeters (${names}) SELECT ${names} FROM meters WHERE device = ?`,
  );
  const remove = database.prepare('DELETE FROM meters WHERE device = ?');
  const withdrawn = database.prepare('SELECT * FROM withdrawnMeters WHERE device = ?');
  const restore = database.prepare('DELETE FROM withdrawnMeters WHERE device = ?');
  return {
    meter,
    putEans(device: DeviceId, eans: Eans): boolean {
      const before = Object.fromEntries(eansOf.all(device).map((row) => [row['channel'], row['ean']]));
      if (isDeepStrictEqual(before, { ...eans })) return false;
      forgetEans.run(device);
      for (const [channel, ean] of Object.entries(eans)) putEan.run(device, Number(channel), ean);
      return true;
    },
    withdrawMeter(device: DeviceId): boolean {
      keep.run(device);
      return Number(remove.run(device).changes) > 0;
    },
    withdrawn(device: DeviceId): Meter | undefined {
      const row = withdrawn.get(device);
      return row === undefined ? undefined : meterOf(row);
    },
    putMeter(meter: Meter): void {
      restore.run(meter.device);
      const { tariffPlanned } = meter;
      put.run({
        device: meter.device,
        home: meter.home,
        medium: meter.medium,
        channels: JSON.stringify(meter.channels),
        certificate: meter.certificate,
        lastSeenMs: meter.lastSeenMs,
        creditMode: meter.creditMode,
        tariffPlan: meter.tariffPlan,
        tariffPlanned: tariffPlanned === null ? null : JSON.stringify(tariffPlanned),
        airplaneSince: meter.airplaneSince,
        breaker: meter.breaker,
        followedAt: JSON.stringify(meter.followedAt),
      });
    },
  };
}
