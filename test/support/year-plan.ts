import { type Random, randomInteger, seededRandom } from '../../gateway/runtime/random.ts';
import type { TenantId } from '../../protocol/identity.ts';

/** Who lives through which year: everything that is going to happen, drawn from the seed before it begins. */

export const DAY_MS = 86_400_000;
export const YEAR_DAYS = 365;
/** 1 January 2027, 00:00 UTC. */
export const START_MS = Date.UTC(2027, 0, 1);
export const atDay = (day: number): number => START_MS + Math.round(day * DAY_MS);

export const [ORES, FLUVIUS, FARYS] = ['ores', 'fluvius', 'farys'] as [TenantId, TenantId, TenantId];
/** Two that have devices of their own, and a water company whose meters hang on the devices of the first. */
export const OPERATORS: readonly TenantId[] = [ORES, FLUVIUS, FARYS];

/** A life so short that a device renews two or three times within the year, at two thirds of it. */
export const LIFE_DAYS = 210;
export const RENEW_AFTER_DAYS = 140;
const RENEW_JITTER_DAYS = 5;

/** The CA answers nobody for three weeks. With the longest absence it is less than the overlap of old and new. */
export const CA_DOWN = { fromDay: 60, toDay: 81 } as const;
const ABSENCE_DAYS_MAX = 42;
/** Nobody publishes lists for so long that the last one ends, and its grace, and two days more. */
export const LIST_DAYS = 7;
export const GRACE_MS = 12 * 3_600_000;
export const PUBLISHER_DOWN = { fromDay: 250, toDay: 250 + LIST_DAYS + 0.5 + 2 } as const;

/** What a router and a front promise: lists are read again within this time. */
export const RELOAD_MS = 60_000;
/** From the moment of a revocation, whose list is published at once, to the last moment at which somebody may not know. */
export const BOUND_MS = RELOAD_MS;

export type Role =
  | { readonly kind: 'plain' }
  /** No network between these days. */
  | { readonly kind: 'away'; readonly fromDay: number; readonly toDay: number }
  /** Its renewals do not get through until its certificates are over, and somebody comes with a code. */
  | { readonly kind: 'expires'; readonly visitAfterDays: number }
  /** A new meter in its place; the old one is thrown away, and found by somebody. */
  | { readonly kind: 'replaced'; readonly day: number; readonly foundDay: number }
  /** Its keys are known to somebody else. */
  | {
      readonly kind: 'stolen';
      readonly leakDay: number;
      readonly revokeDay: number;
      /** Taken back at once, and a visit later; or first new keys by a code, and then the old ones taken back. */
      readonly how: 'at-once' | 'after-new-keys';
      readonly visitDay: number;
    };

export interface PlannedMeter {
  readonly at: number;
  readonly home: TenantId;
  readonly guests: readonly TenantId[];
  /** Negative: it was enrolled before the year began. */
  readonly enrolledDay: number;
  /** It closes a day where (day + phase) is a multiple of `every`. */
  readonly phase: number;
  readonly renewAfterDays: number;
  readonly role: Role;
}

export interface YearOptions {
  readonly seed: number;
  readonly devices: number;
  /** Each device closes and sends one day of so many; 1 is every day. */
  readonly every: number;
}

/** Of a thousand devices; the rest has a quiet year. */
const ROLES_OF_A_THOUSAND: readonly [number, (random: Random, batch: Batch) => Role][] = [
  [60, away],
  [10, (random) => ({ kind: 'expires', visitAfterDays: randomInteger(random, 1, 15) })],
  [30, replaced],
  [4, (random) => stolen(random, 'at-once')],
  [4, (random) => stolen(random, 'after-new-keys')],
  [
    20,
    (random, { leakDay, revokeDay }) => ({
      kind: 'stolen',
      how: 'at-once',
      leakDay,
      revokeDay,
      visitDay: revokeDay + randomInteger(random, 2, 30),
    }),
  ],
];

interface Batch {
  readonly leakDay: number;
  readonly revokeDay: number;
}

export function planYear({ seed, devices, every }: YearOptions): readonly PlannedMeter[] {
  const roles = rolesOf(seed, devices);
  return Array.from({ length: devices }, (_, at) => {
    const random = seededRandom(seed, 'meter', at);
    const home = at % 2 === 0 ? ORES : FLUVIUS;
    return {
      at,
      home,
      guests: home === ORES && random() < 0.2 ? [FARYS] : [],
      enrolledDay: -random() * RENEW_AFTER_DAYS,
      phase: randomInteger(random, 0, every - 1),
      renewAfterDays: RENEW_AFTER_DAYS + (random() * 2 - 1) * RENEW_JITTER_DAYS,
      role: roles.get(at) ?? { kind: 'plain' },
    };
  });
}

/** At least one of each, so that a small year has all of it too. */
function rolesOf(seed: number, devices: number): ReadonlyMap<number, Role> {
  const random = seededRandom(seed, 'roles');
  const revokeDay = quietDay(random, 40, 240);
  const batch = { leakDay: revokeDay - randomInteger(random, 5, 30), revokeDay };
  const roles = new Map<number, Role>();
  for (const [share, draw] of ROLES_OF_A_THOUSAND)
    for (let left = Math.max(1, Math.round((share * devices) / 1_000)); left > 0; left -= 1) {
      let at = randomInteger(random, 0, devices - 1);
      while (roles.has(at)) at = (at + 1) % devices;
      roles.set(at, draw(random, batch));
    }
  return roles;
}

function away(random: Random): Role {
  const days = randomInteger(random, 14, ABSENCE_DAYS_MAX);
  const fromDay = randomInteger(random, 5, YEAR_DAYS - ABSENCE_DAYS_MAX - 10);
  return { kind: 'away', fromDay, toDay: fromDay + days };
}

function replaced(random: Random): Role {
  const day = quietDay(random, 20, YEAR_DAYS - 40);
  return { kind: 'replaced', day, foundDay: day + randomInteger(random, 5, 35) };
}

function stolen(random: Random, how: 'at-once' | 'after-new-keys'): Role {
  const revokeDay = quietDay(random, 60, YEAR_DAYS - 60);
  return {
    kind: 'stolen',
    how,
    leakDay: revokeDay - randomInteger(random, 3, 40),
    revokeDay,
    visitDay: revokeDay + randomInteger(random, 1, 20),
  };
}

/** A day, at some time of it, on which CA and publisher are there: who is revoked while nobody publishes is another story. */
function quietDay(random: Random, from: number, to: number): number {
  for (;;) {
    const day = from + random() * (to - from);
    if (![CA_DOWN, PUBLISHER_DOWN].some(({ fromDay, toDay }) => day > fromDay - 2 && day < toDay + 2))
      return day;
  }
}
