import type { DatabaseSync } from 'node:sqlite';
import type { DeviceId } from '../../../../protocol/identity.ts';
import type { Meter } from '../../registry/meter.ts';
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
  return {
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
  return {
    ...meterReader(database),
    putMeter(meter: Meter): void {
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
