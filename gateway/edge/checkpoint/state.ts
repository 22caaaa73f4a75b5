import type { TenantId } from '../../../protocol/identity.ts';
import type { Medium, Timestamp } from '../../../protocol/reading.ts';
import { dayOfOrdinal, type LocalDay } from '../days/calendar.ts';
import type { Closing, EndedDay } from '../days/ended-day.ts';
import { MeterDay, type Range } from '../days/meter-day.ts';
import type { OwnerDaysState } from '../days/owner-days.ts';
import { MISSING, type Row, restoredRow } from '../days/row.ts';
import type { MeterSnapshot } from '../source.ts';

/**
 * The days that are not closed yet, as plain data. The first frame of a file holds all of it (`image`); each one
 * after it what came since (`step`): how the meters stand, and the samples that are new. Owners, meters and
 * registers are known by their place in the image; when there is another one, a new file begins.
 */
export interface ImageData {
  readonly owners: readonly OwnerData[];
}

export interface StepData {
  readonly owners: readonly Pick<OwnerData, 'meterTime' | 'meters'>[];
}

interface OwnerData {
  readonly owner: TenantId;
  readonly through: number;
  readonly day: number | null;
  readonly meterTime: Timestamp | null;
  readonly meters: readonly MeterData[];
  readonly ended: readonly {
    readonly day: number;
    readonly meters: readonly MeterData[];
    readonly closing: Closing;
  }[];
}

interface MeterData {
  readonly last: MeterSnapshot;
  readonly lastAt: Timestamp;
  readonly ranges: readonly Range[];
  readonly sticky: number;
  readonly rows: readonly RowData[];
}

interface RowData extends Pick<Row, 'obis' | 'unit' | 'scaler' | 'base' | 'carry'> {
  readonly timed: boolean;
  /** Slot, offset, and for a register with capture times the seconds: one after the other. */
  readonly samples: readonly number[];
}

/** Which samples are in the file already. Rows live for a day, and what is known of them with them. */
export type Written = WeakMap<Row, Uint8Array>;

export function imageOf(state: readonly OwnerDaysState[], written: Written): ImageData {
  return {
    owners: state.map(({ owner, through, day, meterTime, meters, ended }) => ({
      owner,
      through,
      day: day?.ordinal ?? null,
      meterTime,
      meters: meters.map((track) => meterData(track, written)),
      ended: ended.map((one) => ({
        day: one.day.ordinal,
        meters: one.meters.map((track) => meterData(track, written)),
        closing: one.closing,
      })),
    })),
  };
}

/** Only what is not in the file yet, for the same owners and meters as in its image. */
export function stepOf(state: readonly OwnerDaysState[], written: Written): StepData {
  return {
    owners: state.map(({ meterTime, meters }) => ({
      meterTime,
      meters: meters.map((track) => meterData(track, written)),
    })),
  };
}

function meterData({ state }: MeterDay, written: Written): MeterData {
  const { last, lastAt, ranges, sticky } = state;
  return { last, lastAt, ranges, sticky, rows: state.rows.map((row) => rowData(row, written)) };
}

function rowData(row: Row, written: Written): RowData {
  const { obis, unit, scaler, base, carry, values, seconds } = row;
  const known = written.get(row) ?? new Uint8Array(values.length);
  written.set(row, known);
  const samples: number[] = [];
  for (let slot = 0; slot < values.length; slot++) {
    if (values[slot] === MISSING || known[slot] === 1) continue;
    known[slot] = 1;
    samples.push(slot, values[slot]!);
    if (seconds !== null) samples.push(seconds[slot]!);
  }
  return { obis, unit, scaler, base, carry, timed: seconds !== null, samples };
}

/**
 * Put the frames of a file together again. Their content is the device's own, authenticated, and of this version
 * (frames.ts); what does not fit together throws, and then there is no checkpoint.
 */
export function stateOf(image: ImageData, steps: readonly StepData[]): OwnerDaysState[] {
  return image.owners.map(({ owner, through, day, meterTime, meters, ended }, at) => {
    const later = steps.map(({ owners }) => owners[at]!);
    const running = day === null ? null : dayOfOrdinal(day);
    return {
      owner,
      through,
      day: running,
      meterTime: later.length === 0 ? meterTime : later.at(-1)!.meterTime,
      meters:
        running === null
          ? []
          : meters.map((meter, place) =>
              restoredMeter(running, [meter, ...later.map((step) => step.meters[place]!)]),
            ),
      ended: ended.map((one): EndedDay => {
        const over = dayOfOrdinal(one.day);
        return {
          day: over,
          closing: one.closing,
          meters: one.meters.map((meter) => restoredMeter(over, [meter])),
        };
      }),
    };
  });
}

function restoredMeter(day: LocalDay, frames: readonly MeterData[]): MeterDay {
  const { last, lastAt, ranges, sticky, rows: newest } = frames.at(-1)!;
  const rows = newest.map((data, place) => {
    const samples = frames.flatMap((frame) => frame.rows[place]?.samples ?? []);
    return filledRow(last.medium, day, { ...data, samples });
  });
  return MeterDay.restored({ day, last, lastAt, ranges, sticky, rows });
}

function filledRow(medium: Medium, day: LocalDay, data: RowData): Row {
  const row = restoredRow(medium, day, data);
  if (row === undefined) throw new TypeError('a register without a profile');
  const stride = row.seconds === null ? 2 : 3;
  for (let at = 0; at < data.samples.length; at += stride) {
    const slot = data.samples[at]!;
    row.values[slot] = data.samples[at + 1]!;
    if (row.seconds !== null) row.seconds[slot] = data.samples[at + 2]!;
  }
  return row;
}
