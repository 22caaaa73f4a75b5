import { dayAt, type LocalDay, QUARTER_SECONDS } from '../../gateway/edge/days/calendar.ts';
import type { MeterSnapshot, Snapshot } from '../../gateway/edge/source.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { quarterStart } from '../days.ts';
import { type DeviceDay, EmulatedDevice, snapshotAt } from '../device.ts';
import type { DevicePlan } from '../fleet.ts';
import type { MeterConditions } from '../p1/conditions.ts';
import { readPort } from '../read-port.ts';
import { TelegramDay } from '../telegram.ts';
import type { World } from '../world.ts';
import type { EdgeSide, Station } from './station.ts';

/**
 * How often the P1 port of an emulated electricity meter is read. `close` reads the telegram that closes the day
 * and takes the quarter-hours before it from the meter's own load profile: for runs of a million indexes.
 */
export const SAMPLINGS = ['quarter-hour', 'close'] as const;
export type Sampling = (typeof SAMPLINGS)[number];

/** An emulated device as the runner sees it. */
export class EmulatedStation implements Station {
  readonly id: DeviceId;
  readonly owners: readonly TenantId[];
  readonly plan: DevicePlan;
  readonly #device: EmulatedDevice;
  readonly #sampling: Sampling;
  /** What commands did to it; null where it takes none. */
  conditions: (() => MeterConditions) | null = null;
  /** What was shown of a moment: a day is not shown again from before it. */
  #shownSeconds = Number.NEGATIVE_INFINITY;

  constructor(world: World, plan: DevicePlan, sampling: Sampling) {
    this.id = plan.id;
    this.owners = [plan.home, ...plan.guests];
    this.plan = plan;
    this.#device = new EmulatedDevice(world, plan);
    this.#sampling = sampling;
  }

  /** By channel: whose meter hangs where is known from the day that it was installed. */
  readonly ownerOf = (meter: MeterSnapshot): TenantId =>
    this.plan.meters.find(({ channel }) => channel === meter.channel)?.owner ?? this.plan.home;

  async show(days: readonly LocalDay[], edge: EdgeSide): Promise<void> {
    for (const day of days) {
      this.feed(day, edge.observe);
      await edge.close(day);
    }
  }

  /** One day, from the midnight that begins it to the midnight that ends it, both included. */
  feed(day: LocalDay, observe: (snapshot: Snapshot) => void): void {
    const { today, telegrams } = this.#dayOf(day);
    for (let quarter = 0; quarter <= today.frame.quarterCount; quarter++) {
      if (day.start + quarter * QUARTER_SECONDS < this.#shownSeconds) continue;
      const isClosing = quarter === today.frame.quarterCount;
      const read = telegrams !== null && (isClosing || this.#sampling === 'quarter-hour');
      observe(read ? portAt(telegrams, today, quarter) : snapshotAt(today, quarter));
    }
  }

  /** What its meters show at a moment: the quarter-hour that ended last, read as on every other day. */
  snapshotAt(meteringMs: number): Snapshot {
    const { today, telegrams, quarter } = this.#momentOf(meteringMs);
    return telegrams === null ? snapshotAt(today, quarter) : portAt(telegrams, today, quarter);
  }

  /** As `snapshotAt`, for an edge that goes on from there: what lies before it is not shown to it any more. */
  showFrom(meteringMs: number): Snapshot {
    const snapshot = this.snapshotAt(meteringMs);
    this.#shownSeconds = snapshot.at.epochSeconds;
    return snapshot;
  }

  /** What its customer port prints at a moment; null where it has none. */
  telegramAt(meteringMs: number): string | null {
    const { telegrams, quarter } = this.#momentOf(meteringMs);
    return telegrams === null ? null : telegrams.bytesAt(quarter).toString('latin1');
  }

  /** The power that is taken in the running quarter-hour. */
  loadAt(meteringMs: number): number {
    const { today, quarter } = this.#momentOf(meteringMs);
    if (today.electricity === null) return 0;
    const { importDayWh, importNightWh } = today.electricity;
    const importedWh = (at: number): number => importDayWh[at]! + importNightWh[at]!;
    return QUARTERS_PER_HOUR * (importedWh(quarter + 1) - importedWh(quarter));
  }

  /** The number on its own meter's label. */
  get ean(): string {
    return this.#device.meters[0]!.ean;
  }

  #momentOf(meteringMs: number) {
    const seconds = Math.floor(meteringMs / 1_000);
    const day = dayAt(seconds);
    return { ...this.#dayOf(day), quarter: Math.floor((seconds - day.start) / QUARTER_SECONDS) };
  }

  #dayOf(day: LocalDay): { readonly today: DeviceDay; readonly telegrams: TelegramDay | null } {
    const today = this.#device.day(day.ordinal);
    const conditions = this.conditions?.();
    const telegrams =
      this.plan.source === 'p1' ? new TelegramDay(today, this.#device.traits!, conditions) : null;
    return { today, telegrams };
  }
}

const QUARTERS_PER_HOUR = 4;

const portAt = (telegrams: TelegramDay, { frame }: DeviceDay, quarter: number): Snapshot =>
  readPort(telegrams.bytesAt(quarter), quarterStart(frame, quarter));
