import type { DeviceIdentity } from '../../pki/identity.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Counters } from '../runtime/counters.ts';
import type { Log } from '../runtime/log.ts';
import type { Random } from '../runtime/random.ts';
import type { MissedDays, OwnerMap } from './days/day.ts';
import type { OutboxFiles } from './outbox/files.ts';
import type { OutboxLimits } from './outbox/limits.ts';
import type { Renewal } from './renewal/renewal.ts';
import type { ScheduleLimits } from './schedule.ts';
import type { UplinkLimits } from './uplink/limits.ts';
import type { HeadEnd } from './uplink/tls.ts';

export interface EdgeLimits {
  readonly outbox?: Partial<OutboxLimits>;
  readonly uplink?: Partial<UplinkLimits>;
  readonly schedule?: Partial<ScheduleLimits>;
}

/**
 * Where a device's identity lies. `save` puts another in its place, on the disk before it returns: whoever changes
 * something says `save(change(load()))` in one step, so that a renewal and a notice never lose each other's change.
 */
export interface IdentityPort {
  readonly device: DeviceIdentity['device'];
  load(): DeviceIdentity;
  save?(identity: DeviceIdentity): void;
}

export interface EdgeDeviceOptions {
  /** The device's own folder: its outbox lies in it. */
  readonly directory: string;
  /** Its keys and certificates, or where to get them when they are needed: 10,000 of them are 60 MiB of text. */
  readonly identity: DeviceIdentity | IdentityPort;
  /** Renews the keys of this identity; what it replaces is used from then on (docs/adr/0180). */
  readonly renewal?: Pick<Renewal, 'onRenewed' | 'silentWhile'>;
  readonly owners: OwnerMap;
  readonly headEnd: HeadEnd;
  /** The real time: for certificates, backoff and `later`. Metering time comes with each snapshot. */
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  readonly counters?: Counters;
  readonly limits?: EdgeLimits;
  /** Whether keys of a development PKI may be used. */
  readonly development?: boolean;
  /** `skip` for recordings: no index for a day in which nothing was seen. */
  readonly missedDays?: MissedDays;
  /**
   * Keep the running day on the disk, sealed to the device, so that a restart leaves no gap but the outage itself.
   * Off unless asked for: a fleet of 10,000 would flush 11 files a second for days that nobody misses.
   */
  readonly checkpoint?: boolean;
  /**
   * Seal each day a second time without its profile, so that an outbox without room can give up profiles before
   * indexes. As `checkpoint` unless told: it costs a fleet a signature and 600 bytes a day and device.
   */
  readonly lean?: boolean;
  readonly files?: OutboxFiles;
}
