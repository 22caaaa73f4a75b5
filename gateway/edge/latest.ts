import type { TenantId } from '../../protocol/identity.ts';
import { type MeterReading, QUALITY, type Register, type Timestamp } from '../../protocol/reading.ts';
import type { Clock } from '../runtime/clock.ts';
import type { OwnerMap } from './days/day.ts';
import type { MeterSnapshot, Snapshot } from './source.ts';

/** A meter as it was seen last. */
export interface Seen {
  readonly owner: TenantId;
  readonly meter: MeterSnapshot;
  readonly at: Timestamp;
}

/** Older than a quarter-hour a reading is no longer of now, and says so. */
const STALE_SECONDS = 900;
/** Older than this there is nothing to be read: a port that is silent, or an M-Bus meter that is gone. */
const GONE_SECONDS = 3_600;

export interface LatestOptions {
  readonly owners: OwnerMap;
  readonly clock: Clock;
  readonly seen: () => readonly Seen[];
  readonly snapshot?: (() => Snapshot | null) | undefined;
  readonly realSeconds?: ((meteringSeconds: number) => number) | undefined;
}

/** What `read.now` reads: registers as they stand, each with the time that it is of. */
export class LatestReadings {
  readonly #options: LatestOptions;

  constructor(options: LatestOptions) {
    this.#options = options;
  }

  /** Whether a meter was seen of late on one of these channels. */
  has(channels: readonly number[]): boolean {
    return this.#seen().some(({ meter }) => channels.includes(meter.channel));
  }

  /** The meters of an owner and nobody else's, whatever a command named: a channel may have changed hands. */
  of(owner: TenantId): readonly MeterReading[] {
    return this.#seen()
      .filter((seen) => seen.owner === owner)
      .map(({ meter, at, ageSeconds }) => readingOf(meter, at, ageSeconds > STALE_SECONDS));
  }

  #seen(): readonly (Seen & { readonly ageSeconds: number })[] {
    const { clock, realSeconds = (seconds: number) => seconds } = this.#options;
    const now = clock.nowMs() / 1_000;
    return this.#given()
      .map((seen) => ({ ...seen, ageSeconds: now - realSeconds(seen.at.epochSeconds) }))
      .filter(({ ageSeconds }) => ageSeconds <= GONE_SECONDS);
  }

  /** One meter a channel: a replaced one is still in the day, and not at the wall any more. */
  #given(): readonly Seen[] {
    const { snapshot, seen, owners } = this.#options;
    if (snapshot !== undefined) {
      const shown = snapshot();
      return shown?.meters.map((meter) => ({ owner: owners(meter), meter, at: shown.at })) ?? [];
    }
    const channels = new Map<number, Seen>();
    for (const one of seen()) {
      const other = channels.get(one.meter.channel);
      if (other === undefined || other.at.epochSeconds < one.at.epochSeconds)
        channels.set(one.meter.channel, one);
    }
    return [...channels.values()];
  }
}

function readingOf(meter: MeterSnapshot, at: Timestamp, isStale: boolean): MeterReading {
  const { medium, channel, serial, ean, flags, registers } = meter;
  return {
    medium,
    channel,
    serial,
    ean,
    flags: isStale ? flags | QUALITY.stale : flags,
    registers: registers.map((register): Register => ({ ...register, time: register.time ?? at })),
    profiles: [],
    peaks: [],
    extremes: [],
  };
}
