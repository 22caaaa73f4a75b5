import { expect } from 'vitest';
import type { MeterReading } from '../../../protocol/reading.ts';
import { dayNamed, type LocalDay, QUARTER_SECONDS } from '../days/calendar.ts';
import { DayAccumulator, type DayDraft, type DayNotice, type Doubt, type OwnerMap } from '../days/day.ts';
import type { Snapshot } from '../source.ts';
import { FARYS, IMPORT_DAY, meter, ORES, register, snapshot } from './meters.ts';

export const DAY = dayNamed('2026-05-12');
export const START_WH = 1_000_000;
/** Each quarter-hour uses other 25 to 60 Wh, so that a shifted profile cannot go unnoticed. */
export const used = (quarter: number): number => 25 + ((quarter * 7) % 36);
export const indexAt = (quarter: number): number => {
  let wh = START_WH;
  for (let past = 0; past < quarter; past++) wh += used(past);
  return wh;
};

export const allOres: OwnerMap = () => ORES;
export const byMedium: OwnerMap = ({ medium }) => (medium === 'water' ? FARYS : ORES);

export function accumulator(owners: OwnerMap = allOres, closedThrough: Map<typeof ORES, number> = new Map()) {
  const notices: (DayNotice | Doubt)[] = [];
  const days = new DayAccumulator({ owners, closedThrough, notice: (notice) => notices.push(notice) });
  return { days, notices };
}

export const at = (day: LocalDay, quarter: number, seconds = 0): number =>
  day.start + quarter * QUARTER_SECONDS + seconds;

export const electricity = (day: LocalDay, quarter: number, seconds = 0): Snapshot =>
  snapshot(at(day, quarter, seconds), [meter([register(IMPORT_DAY, indexAt(quarter))])]);

/** Sample all boundaries of a day but some; the one that ends it is among them. */
export function wholeDay(
  days: DayAccumulator,
  day: LocalDay,
  skip: (quarter: number) => boolean = () => false,
): void {
  for (let quarter = 0; quarter <= day.quarters; quarter++)
    if (!skip(quarter)) days.observe(electricity(day, quarter));
}

export function only(days: DayAccumulator, day: LocalDay, owner = ORES): DayDraft {
  const draft = days.draft({ owner, day });
  expect(draft).toBeDefined();
  return draft!;
}

export const firstMeter = (draft: DayDraft): MeterReading => draft.meters[0]!;
export const deltasOf = (draft: DayDraft): readonly (number | null)[] =>
  firstMeter(draft).profiles[0]!.deltas;
