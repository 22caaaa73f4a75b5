import { QUARTER_SECONDS } from '../../gateway/edge/days/calendar.ts';
import { type Random, seededRandom } from '../../gateway/runtime/random.ts';

/**
 * What happens to an edge over some weeks, drawn as a whole before the first telegram: the same seed gives the same
 * story.
 */

/** `kill`: -9 of the process. `unplug`: the cable of one source. `cut`: the network to the head-end. `fall`: a process of the head-end dies. `damage`: telegrams arrive with a wrong CRC, answers as exceptions. */
export const HAPPENINGS = ['kill', 'unplug', 'cut', 'fall', 'damage'] as const;
export type Happening = (typeof HAPPENINGS)[number];

/**
 * `settled`: some time after the last telegram. `at-once`: in the moment in which one was sent. `in-the-middle`: when
 * half of one was sent.
 */
export type Moment = 'settled' | 'at-once' | 'in-the-middle';

export interface Event {
  readonly what: Happening;
  readonly from: number;
  readonly until: number;
  readonly moment: Moment;
  /** Which source, or which process of the head-end, as a fraction of how many there are. */
  readonly which: number;
  /** A kill again so many milliseconds into the start, or null. */
  readonly againMs: number | null;
}

export interface StoryOptions {
  readonly seed: number;
  readonly from: number;
  readonly until: number;
  readonly counts: Readonly<Record<Happening, number>>;
  readonly sources: number;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** How long it lasts: mostly less than it takes somebody to come, now and then more than a day. */
const DURATIONS = [
  { share: 0.5, seconds: [10, 14 * MINUTE] },
  { share: 0.35, seconds: [14 * MINUTE, 5 * HOUR] },
  { share: 0.15, seconds: [5 * HOUR, 30 * HOUR] },
] as const;

const ABRUPT: readonly { readonly moment: Moment; readonly share: number }[] = [
  { moment: 'at-once', share: 0.25 },
  { moment: 'in-the-middle', share: 0.25 },
];

const KILLED_AGAIN = 0.2;
const AGAIN_MS_MAX = 900;

/** Some begin around a midnight, where a day is closed. */
const AROUND_MIDNIGHT = 0.2;
const AROUND_SECONDS = 20 * MINUTE;

export function drawStory({ seed, from, until, counts, sources }: StoryOptions): readonly Event[] {
  const events: Event[] = [];
  for (const what of HAPPENINGS) {
    const random = seededRandom(`edge ${what}`, seed);
    for (let count = 0; count < counts[what]; ) {
      const event = drawEvent(what, random, from, until);
      // Two of one kind at one place at the same time are one; it is drawn again.
      if (events.some((other) => collide(event, other, sources))) continue;
      events.push(event);
      count += 1;
    }
  }
  return events.toSorted((one, other) => one.from - other.from);
}

function drawEvent(what: Happening, random: Random, from: number, until: number): Event {
  const which = random();
  let at = Math.floor(from + QUARTER_SECONDS + random() * (until - from - 2 * QUARTER_SECONDS));
  if (random() < AROUND_MIDNIGHT) at = aroundMidnight(at, from, random);
  const draw = random();
  const [first, second] = ABRUPT as [(typeof ABRUPT)[number], (typeof ABRUPT)[number]];
  const isAbrupt = what === 'kill' || what === 'unplug';
  let moment: Moment = 'settled';
  if (isAbrupt && draw < first.share) moment = first.moment;
  else if (isAbrupt && draw < first.share + second.share) moment = second.moment;
  // What is sent when it happens is the telegram of a quarter-hour's boundary.
  if (moment !== 'settled') at -= ((at % QUARTER_SECONDS) + QUARTER_SECONDS) % QUARTER_SECONDS;
  const end = Math.min(until, at + duration(random));
  const again = random();
  const againMs = Math.round(random() * AGAIN_MS_MAX);
  return {
    what,
    from: at,
    until: end,
    moment,
    which,
    againMs: what === 'kill' && again < KILLED_AGAIN ? againMs : null,
  };
}

/** Days begin with the run; within twenty minutes of one of their ends. */
function aroundMidnight(at: number, from: number, random: Random): number {
  const day = 24 * HOUR;
  const midnight = from + Math.max(1, Math.floor((at - from) / day)) * day;
  return Math.floor(midnight + (2 * random() - 1) * AROUND_SECONDS);
}

function duration(random: Random): number {
  let draw = random();
  const row = DURATIONS.find(({ share }) => {
    draw -= share;
    return draw < 0;
  })!;
  const [low, high] = row.seconds;
  return Math.round(low + random() * (high - low));
}

/** Some room between two, so that what came back has something to do. */
const ROOM_SECONDS = 2 * QUARTER_SECONDS;

function collide(one: Event, other: Event, sources: number): boolean {
  const place = ({ what, which }: Event): number =>
    what === 'unplug' || what === 'damage' ? Math.floor(which * sources) : 0;
  const kind = ({ what }: Event): Happening => (what === 'damage' ? 'unplug' : what);
  return (
    kind(one) === kind(other) &&
    place(one) === place(other) &&
    one.from < other.until + ROOM_SECONDS &&
    other.from < one.until + ROOM_SECONDS
  );
}
