import { type Random, randomInteger, randomPick } from '../../runtime/random.ts';
import { QUARTER_SECONDS } from '../days/calendar.ts';

const HOUR = 3_600;
const DAY = 86_400;

/** What a device goes through, drawn from a seed. Times are true ones, in epoch seconds. */
export interface Life {
  /** When the meter speaks: about every boundary, shortly before some, and in between. */
  readonly telegrams: readonly number[];
  readonly unplugged: readonly Spell[];
  readonly diskFull: readonly Spell[];
  readonly offline: readonly Spell[];
  readonly clockWrong: readonly (Spell & { readonly offset: number })[];
  readonly deaths: readonly (Spell & { readonly how: Death })[];
}

export interface Spell {
  readonly from: number;
  readonly to: number;
}

/** How a process ends: by SIGTERM, kill -9, a power cut, or a power cut in the middle of a write. */
export type Death = 'closed' | 'killed' | 'cut' | 'cut writing';

/** Steps that the edge lives with, and leaps that it must not believe: days, years, and a clock that was never set. */
const SMALL_OFFSETS = [-3 * HOUR, -HOUR, -901, -59, -7, 8, 61, 899, HOUR, 2 * HOUR + 1];
const LEAPS = [-10 * DAY, 10 * DAY, 8 * 365 * DAY, -40 * 365 * DAY];

export function lifeOf(random: Random, start: number, end: number): Life {
  const moment = (): number => randomInteger(random, start + 6 * HOUR, end - 6 * HOUR);
  const spell = (longest: number, shortest = 60): Spell => {
    const from = moment();
    return { from, to: Math.min(end - HOUR, from + shortest + Math.floor(random() ** 3 * longest)) };
  };
  const spells = (count: number, longest: number): Spell[] =>
    Array.from({ length: randomInteger(random, 0, count) }, () => spell(longest));
  const deaths: (Spell & { how: Death })[] = Array.from({ length: randomInteger(random, 4, 24) }, () => ({
    ...spell(random() < 0.2 ? 3 * DAY : 40 * 60, 5),
    how: randomPick(random, ['closed', 'killed', 'cut', 'cut writing'] as const),
  }));
  const clockWrong = Array.from({ length: randomInteger(random, 0, 5) }, () => {
    const leap = random() < 0.4;
    return { ...spell(leap ? 12 * HOUR : 2 * DAY), offset: randomPick(random, leap ? LEAPS : SMALL_OFFSETS) };
  });
  const everyday = random() < 0.5;
  return {
    telegrams: telegramsOf(random, start, end, everyday ? 0.15 : 0.5),
    unplugged: spells(8, 2 * DAY),
    diskFull: spells(4, 1.5 * DAY),
    offline: spells(4, 6 * DAY),
    clockWrong: apart(clockWrong),
    deaths: apart(deaths),
  };
}

export function within<Of extends Spell>(spells: readonly Of[], moment: number): Of | undefined {
  return spells.find(({ from, to }) => moment >= from && moment < to);
}

function telegramsOf(random: Random, start: number, end: number, extra: number): number[] {
  const times: number[] = [];
  for (let boundary = start; boundary <= end; boundary += QUARTER_SECONDS) {
    if (random() < extra) times.push(boundary - randomInteger(random, 1, 75));
    if (random() < 0.97) times.push(boundary + randomInteger(random, 0, 62));
    if (random() < extra / 2) times.push(boundary + randomInteger(random, 63, 820));
  }
  return times.sort((one, other) => one - other);
}

/** Without those that begin before the one before them is over. */
function apart<Of extends Spell>(spells: readonly Of[]): Of[] {
  const sorted = spells.toSorted((one, other) => one.from - other.from);
  return sorted.filter((spell, index) => index === 0 || spell.from > sorted[index - 1]!.to);
}
