import type { Timestamp } from '../../../protocol/reading.ts';
import { dayAt } from '../days/calendar.ts';
import { SAMPLE_TOLERANCE_SECONDS } from '../days/quality.ts';
import type { MeterSnapshot, Snapshot } from '../source.ts';

/**
 * So long the sources of one device are waited for when a day begins: half of what a sample may be away from its
 * boundary, so that what was gathered still stands for midnight. Sources that are asked at whole multiples of their
 * interval come within a second or two.
 */
export const GATHER_SECONDS = SAMPLE_TOLERANCE_SECONDS / 2;

export interface GatherOptions {
  /** For each source the channels that its configuration gives to its meters; null where the meters say it (P1). */
  readonly channels: readonly (ReadonlySet<number> | null)[];
  readonly observe: (snapshot: Snapshot) => void;
  /** A P1 port shows a meter on a channel that edge.yaml gives to a Modbus meter: it is left out. Told once each. */
  readonly collided: (channel: number) => void;
}

/**
 * Several sources of one device, as one. A day closes with one snapshot that has all meters in it, since a meter that
 * is not in it counts as gone (owner-days.ts); for the rest of the day each source is shown as it comes.
 *
 * So what comes first on a day (or after a start, or an outage) is held until every source has come, or until
 * GATHER_SECONDS are over.
 */
export class Gather {
  readonly #options: GatherOptions;
  readonly #held: (Snapshot | undefined)[];
  readonly #told = new Set<number>();
  #day = Number.NEGATIVE_INFINITY;
  #heldSinceSeconds: number | null = null;

  constructor(options: GatherOptions) {
    this.#options = options;
    this.#held = options.channels.map(() => undefined);
  }

  take(source: number, given: Snapshot): void {
    const snapshot = this.#withoutCollisions(source, given);
    const { epochSeconds } = snapshot.at;
    const day = dayAt(epochSeconds).ordinal;
    if (this.#held.length === 1 || day === this.#day) {
      this.#options.observe(snapshot);
      return;
    }
    this.#heldSinceSeconds ??= epochSeconds;
    // The first of a day is the closest to midnight.
    this.#held[source] ??= snapshot;
    const waitedSeconds = epochSeconds - this.#heldSinceSeconds;
    const isOver = waitedSeconds < 0 || waitedSeconds >= GATHER_SECONDS;
    if (!isOver && !this.#held.every((one) => one !== undefined)) return;
    const isHeld = this.#held[source] === snapshot;
    this.#day = day;
    this.#release();
    if (!isHeld) this.#options.observe(snapshot);
  }

  #release(): void {
    const held = this.#held.filter((one) => one !== undefined);
    this.#held.fill(undefined);
    this.#heldSinceSeconds = null;
    const at = held.reduce(
      (latest, one) => (one.at.epochSeconds > latest.epochSeconds ? one.at : latest),
      held[0]!.at,
    );
    this.#options.observe({
      at,
      meterTime: meterTimeAt(held, at),
      meters: held.flatMap(({ meters }) => meters),
    });
  }

  #withoutCollisions(source: number, snapshot: Snapshot): Snapshot {
    const { channels } = this.#options;
    if (channels.length === 1 || channels[source] !== null) return snapshot;
    const isTaken = ({ channel }: MeterSnapshot): boolean =>
      channels.some((configured) => configured?.has(channel) === true);
    if (!snapshot.meters.some(isTaken)) return snapshot;
    for (const { channel } of snapshot.meters.filter(isTaken)) {
      if (this.#told.has(channel)) continue;
      this.#told.add(channel);
      this.#options.collided(channel);
    }
    return { ...snapshot, meters: snapshot.meters.filter((meter) => !isTaken(meter)) };
  }
}

/** What the meter's clock shows by now: it was read some seconds ago. */
function meterTimeAt(held: readonly Snapshot[], at: Timestamp): Timestamp | null {
  const told = held.find(({ meterTime }) => meterTime !== null);
  if (told?.meterTime == null) return null;
  const { epochSeconds, offsetMinutes } = told.meterTime;
  return { epochSeconds: epochSeconds + at.epochSeconds - told.at.epochSeconds, offsetMinutes };
}
