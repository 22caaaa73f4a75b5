import type { LocalDay } from '../../gateway/edge/days/calendar.ts';
import { P1Reader } from '../../gateway/edge/p1/reader.ts';
import { telegramSnapshot } from '../../gateway/edge/p1/snapshot.ts';
import type { P1Telegram } from '../../gateway/edge/p1/telegram.ts';
import type { MeterSnapshot, Snapshot } from '../../gateway/edge/source.ts';
import { HesError } from '../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { quarterStart } from '../days.ts';
import { type DeviceDay, EmulatedDevice, snapshotAt } from '../device.ts';
import type { EmulatorErrorCode } from '../errors.ts';
import type { DevicePlan } from '../fleet.ts';
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
  readonly #plan: DevicePlan;
  readonly #device: EmulatedDevice;
  readonly #sampling: Sampling;

  constructor(world: World, plan: DevicePlan, sampling: Sampling) {
    this.id = plan.id;
    this.owners = [plan.home, ...plan.guests];
    this.#plan = plan;
    this.#device = new EmulatedDevice(world, plan);
    this.#sampling = sampling;
  }

  /** By channel: whose meter hangs where is known from the day that it was installed. */
  readonly ownerOf = (meter: MeterSnapshot): TenantId =>
    this.#plan.meters.find(({ channel }) => channel === meter.channel)?.owner ?? this.#plan.home;

  async show(days: readonly LocalDay[], edge: EdgeSide): Promise<void> {
    for (const day of days) {
      this.feed(day, edge.observe);
      await edge.close(day);
    }
  }

  /** One day, from the midnight that begins it to the midnight that ends it, both included. */
  feed(day: LocalDay, observe: (snapshot: Snapshot) => void): void {
    const today = this.#device.day(day.ordinal);
    const { traits } = this.#device;
    const telegrams = this.#plan.source === 'p1' ? new TelegramDay(today, traits!) : null;
    for (let quarter = 0; quarter <= today.frame.quarterCount; quarter++) {
      const isClosing = quarter === today.frame.quarterCount;
      const read = telegrams !== null && (isClosing || this.#sampling === 'quarter-hour');
      observe(read ? readPort(telegrams, today, quarter) : snapshotAt(today, quarter));
    }
  }
}

let latest: P1Telegram | null = null;
/** One for the process: each telegram is fed whole, so nothing of one meter is left when the next one's comes. */
const reader = new P1Reader({
  telegram: (telegram) => {
    latest = telegram;
  },
});

/** The telegram's bytes go through the very reader that a serial port's bytes go through. */
function readPort(telegrams: TelegramDay, day: DeviceDay, quarter: number): Snapshot {
  latest = null;
  reader.feed(telegrams.bytesAt(quarter));
  const telegram = latest as P1Telegram | null;
  if (telegram === null)
    throw new HesError(
      'ERR_FLEET_TELEGRAM' satisfies EmulatorErrorCode,
      'an emulated telegram was not understood',
    );
  return telegramSnapshot(telegram, quarterStart(day.frame, quarter));
}
