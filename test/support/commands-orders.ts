import { dayAt } from '../../gateway/edge/days/calendar.ts';
import { type Random, randomInteger, randomPick, seededRandom } from '../../gateway/runtime/random.ts';
import type { CommandBody } from '../../protocol/command/command.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import { presetWindows } from '../../protocol/command/presets.ts';
import { type ArgumentsOf, type CommandType, rowOf } from '../../protocol/command/table.ts';
import type { Plan } from '../../protocol/command/tariff.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';

/** What is ordered in a test of commands: drawn from a seed, and such that each deed can be told from every other. */

/** A command as it was signed, and its place among those of its device. */
export type Order = CommandBody & {
  readonly id: CommandId;
  readonly device: DeviceId;
  /** From 0, in the order in which they were signed. */
  readonly place: number;
};

/** What is to be signed: the arguments are filled in when it is, since some say the time. */
export interface Draft<T extends CommandType = CommandType> {
  readonly device: DeviceId;
  readonly type: T;
  readonly arguments: (nowMs: number) => ArgumentsOf<T>;
}

/** How often each is drawn. `limiter.set` and `breaker.open` need two people. */
const SHARES: Readonly<Partial<Record<CommandType, number>>> = {
  'display.message': 30,
  'tariff.set': 20,
  'read.now': 15,
  'clock.sync': 15,
  'p1.set': 10,
  'limiter.set': 7,
  'breaker.open': 3,
};
const LOTS = (Object.keys(SHARES) as CommandType[]).flatMap((type) =>
  Array.from({ length: SHARES[type]! }, () => type),
);

const DAY_SECONDS = 86_400;
/** Above what a household takes, so that no limiter trips; each limit is ordered once. */
const LIMIT_FROM_W = 20_000;
const LIMIT_STEP_W = 100;
const LIMITS = 800;
/** A meter takes a time that is near its own, and each is ordered once. */
const CLOCK_AROUND_SECONDS = 100;

export const isCritical = (type: CommandType): boolean => rowOf(type).critical;

/** So many commands of each device, in the order in which they are to be signed. */
export function drawOrders(about: {
  readonly seed: number;
  readonly tenant: TenantId;
  readonly devices: readonly DeviceId[];
  readonly count: number;
}): readonly Draft[] {
  const { seed, tenant, devices, count } = about;
  const random = seededRandom('orders', seed);
  const unique = { limits: 0, times: new Set<number>() };
  return Array.from({ length: count }, (_, number) => {
    const device = devices[number % devices.length]!;
    return draftOf(randomPick(random, LOTS), { device, tenant, number, random, unique });
  });
}

interface Circumstances {
  readonly device: DeviceId;
  readonly tenant: TenantId;
  readonly number: number;
  readonly random: Random;
  readonly unique: { limits: number; readonly times: Set<number> };
}

function draftOf(
  type: CommandType,
  { device, tenant, number, random, unique }: Circumstances,
): Draft<CommandType> {
  const draw = (most: number): number => randomInteger(random, 0, most);
  const plan: Plan = draw(1) === 0 ? 'mono' : 'bi';
  const on = draw(1) === 0;
  const offset = draw(2 * CLOCK_AROUND_SECONDS) - CLOCK_AROUND_SECONDS;
  const rows: { readonly [T in CommandType]?: (nowMs: number) => ArgumentsOf<T> } = {
    'display.message': (nowMs) => ({
      text: `message ${number}`,
      until: Math.floor(nowMs / 1_000) + DAY_SECONDS,
    }),
    'tariff.set': (nowMs) => {
      const from = dayAt(Math.floor(nowMs / 1_000)).name;
      return { plan, windows: presetWindows(tenant, plan, from)!, from };
    },
    'read.now': () => ({ registers: [] }),
    'clock.sync': (nowMs) => ({ time: free(unique.times, Math.floor(nowMs / 1_000) + offset) }),
    'p1.set': () => ({ on }),
    'limiter.set': () => ({ powerW: LIMIT_FROM_W + (unique.limits++ % LIMITS) * LIMIT_STEP_W }),
    'breaker.open': () => ({ cause: 'works' }),
  };
  return { device, type, arguments: rows[type] as (nowMs: number) => ArgumentsOf<CommandType> };
}

function free(taken: Set<number>, from: number): number {
  let time = from;
  while (taken.has(time)) time++;
  taken.add(time);
  return time;
}
