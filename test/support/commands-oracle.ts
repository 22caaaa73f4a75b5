import { Journal } from '../../gateway/edge/operations/journal.ts';
import type { MeterState } from '../../gateway/edge/operations/state.ts';
import { nodeFiles } from '../../gateway/edge/outbox/files.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import type { CommandType } from '../../protocol/command/table.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import type { Order } from './commands-orders.ts';
import type { CommandsWorld } from './commands-world.ts';

/**
 * Whether commands kept their promises: each has exactly one end, none was executed twice, and what the desk says is
 * what the meter did, or `unknown`. It is told by four who know nothing of each other: the desk, its audit, the
 * journals of the meters, and whoever counted at them; and by the MDM of what was read.
 */

export interface DeskWord {
  readonly id: CommandId;
  readonly state: string;
  readonly code: string | null;
  readonly late: { readonly state: string } | null;
}

export interface MeterTruth {
  /** By command: the code that it ended with, null where it was executed. */
  readonly known: ReadonlyMap<CommandId, string | null>;
  /** Null where the meter was never commanded. */
  readonly state: MeterState | null;
}

export interface RegistryWord {
  readonly tariffPlan: string;
  readonly breaker: 'open' | 'closed' | 'armed' | null;
}

export interface Evidence {
  /** Everything that the desk acknowledged. */
  readonly orders: readonly Order[];
  readonly desk: ReadonlyMap<CommandId, DeskWord>;
  readonly registry: ReadonlyMap<DeviceId, RegistryWord>;
  /** The states that each command came to, by the audit. */
  readonly ends: readonly { readonly id: CommandId; readonly to: string }[];
  readonly meters: ReadonlyMap<DeviceId, MeterTruth>;
  /** `executed ID` and `moved ACTION`, a line for each deed. */
  readonly counted: readonly string[];
  /** `DEVICE/TENANT/read/ID` of the MDM's records. */
  readonly reads: readonly string[];
}

/** What is wrong, by the names of commands; each list is to be empty. */
export interface Judgement {
  /** The desk acknowledged it and does not know it. */
  readonly lost: readonly string[];
  /** It came to no end. */
  readonly open: readonly string[];
  /** The audit has no end of it, or more than one, or another one than the desk. */
  readonly ends: readonly string[];
  readonly twice: readonly string[];
  /** The desk says that it was executed, and its meter does not know that. */
  readonly unexecuted: readonly string[];
  /** Its meter executed it, and the desk says something else than that or `unknown`. */
  readonly hidden: readonly string[];
  /** `DEVICE thing`: the meter is in another state than what the desk knows allows. */
  readonly disagree: readonly string[];
  /** It was executed and the MDM does not have what it read. */
  readonly unread: readonly string[];
  /** Nobody ordered it. */
  readonly invented: readonly string[];
}

export const INNOCENT: Judgement = {
  lost: [],
  open: [],
  ends: [],
  twice: [],
  unexecuted: [],
  hidden: [],
  disagree: [],
  unread: [],
  invented: [],
};

const TERMINAL = ['executed', 'refused', 'failed', 'expired', 'unknown', 'cancelled'];

/** Actions that were ordered once each, whatever their commands: a second one is a second execution. */
const UNIQUE = /^moved \{"kind":"(?:clock|limiter)"/;

type Value = string | number | boolean | null;

/** What a command makes of a meter, and what of a meter shows it. */
interface Thing {
  readonly thing: string;
  readonly value: (order: Order) => Value;
  readonly shown: (state: MeterState) => Value;
}
const argument =
  (name: string) =>
  (order: Order): Value =>
    (order.arguments as unknown as Readonly<Record<string, Value>>)[name]!;

const THINGS: Readonly<Partial<Record<CommandType, Thing>>> = {
  'tariff.set': { thing: 'tariff', value: argument('plan'), shown: ({ tariff }) => tariff.plan },
  'p1.set': { thing: 'port', value: argument('on'), shown: ({ port }) => port },
  'display.message': {
    thing: 'message',
    value: argument('text'),
    shown: ({ message }) => message?.text ?? null,
  },
  'limiter.set': { thing: 'limiter', value: argument('powerW'), shown: ({ limiterW }) => limiterW },
  'breaker.open': { thing: 'breaker', value: () => 0, shown: ({ breaker }) => breaker?.position ?? null },
};
const TYPES = Object.keys(THINGS) as readonly CommandType[];

export function judge(evidence: Evidence): Judgement {
  const { orders, desk, ends, meters, counted, reads } = evidence;
  const ordered = new Map(orders.map((order) => [order.id, order]));
  const endsOf = Map.groupBy(
    ends.filter(({ to }) => TERMINAL.includes(to)),
    ({ id }) => id,
  );
  const executions = countOf(counted);
  const readings = countOf(reads.map((key) => key.slice(key.lastIndexOf('/') + 1)));
  const known = (order: Order): string | null | undefined => meters.get(order.device)?.known.get(order.id);
  const saysExecuted = ({ state, late }: DeskWord): boolean =>
    state === 'executed' || late?.state === 'executed';
  const told = orders.flatMap((order) => {
    const word = desk.get(order.id);
    return word === undefined ? [] : [{ order, word }];
  });
  return {
    lost: orders.filter(({ id }) => !desk.has(id)).map(nameOf),
    open: told.filter(({ word }) => !TERMINAL.includes(word.state)).map(({ order }) => nameOf(order)),
    ends: told
      .filter(({ order, word }) => {
        const own = endsOf.get(order.id) ?? [];
        return own.length !== 1 || own[0]!.to !== word.state;
      })
      .map(({ order }) => nameOf(order)),
    twice: [
      ...orders
        .filter(({ id }) => (executions.get(`executed ${id}`) ?? 0) > 1 || (readings.get(id) ?? 0) > 1)
        .map(nameOf),
      ...[...executions].filter(([line, times]) => times > 1 && UNIQUE.test(line)).map(([line]) => line),
    ],
    unexecuted: told
      .filter(({ order, word }) => saysExecuted(word) && known(order) !== null)
      .map(({ order }) => nameOf(order)),
    hidden: told
      .filter(({ order, word }) => known(order) === null && !saysExecuted(word) && word.state !== 'unknown')
      .map(({ order }) => nameOf(order)),
    disagree: [...meters.keys()].flatMap((device) => disagreements(device, evidence)),
    unread: told
      .filter(({ order, word }) => order.type === 'read.now' && saysExecuted(word) && !readings.has(order.id))
      .map(({ order }) => nameOf(order)),
    invented: [
      ...[...desk.keys()].filter((id) => !ordered.has(id)),
      ...[...meters.values()].flatMap((meter) => [...meter.known.keys()].filter((id) => !ordered.has(id))),
      ...[...readings.keys()].filter((id) => !ordered.has(id as CommandId)),
    ],
  };
}

/** The meter shows what the last executed command asked for, or one of those after it of which nobody knows. */
function disagreements(device: DeviceId, { orders, desk, meters, registry }: Evidence): string[] {
  const { state } = meters.get(device)!;
  if (state === null) return [];
  const entered = registry.get(device);
  return TYPES.flatMap((type) => {
    const { thing, value, shown } = THINGS[type]!;
    const own = orders
      .filter((order) => order.device === device && order.type === type)
      .toSorted((a, b) => a.place - b.place);
    const stateOf = (order: Order): string | undefined => {
      const word = desk.get(order.id);
      return word?.late?.state ?? word?.state;
    };
    const last = own.findLastIndex((order) => stateOf(order) === 'executed');
    const unknown = own.slice(last + 1).filter((order) => stateOf(order) === 'unknown');
    const possible = [...(last < 0 ? [] : [own[last]!]), ...unknown].map(value);
    const shows = shown(state);
    // Where none is known to have been executed, it may also be as it left the van.
    const isPossible = possible.includes(shows) || (last < 0 && isNew(type, shows));
    const isEntered = unknown.length > 0 || entered === undefined || agrees(type, shows, entered);
    return isPossible && isEntered ? [] : [`${device} ${thing}`];
  });
}

const NEW: Readonly<Partial<Record<CommandType, Value>>> = {
  'tariff.set': 'mono',
  'p1.set': true,
  'display.message': null,
  'limiter.set': null,
  'breaker.open': 1,
};
const isNew = (type: CommandType, shows: Value): boolean => shows === null || NEW[type] === shows;

const BREAKERS = ['open', 'closed', 'armed'];

function agrees(type: CommandType, shows: Value, { tariffPlan, breaker }: RegistryWord): boolean {
  if (type === 'tariff.set') return tariffPlan === shows;
  if (type === 'breaker.open') return breaker === null || BREAKERS.indexOf(breaker) === shows;
  return true;
}

const nameOf = ({ device, type, id }: Order): string => `${device} ${type} ${id}`;

function countOf<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

const PAGE = 200;

interface Page<T> {
  readonly items: readonly T[];
  readonly next: number | null;
}

/** Every item of a list of the API. */
async function all<T>(world: CommandsWorld, path: string, cursor: 'before' | 'after'): Promise<readonly T[]> {
  const items: T[] = [];
  let next: number | null = null;
  do {
    const from: string = next === null ? '' : `&${cursor}=${next}`;
    const page: Page<T> = await world.ask<Page<T>>(`${path}?limit=${PAGE}${from}`);
    items.push(...page.items);
    next = page.next;
  } while (next !== null);
  return items;
}

export const deskWords = (world: CommandsWorld): Promise<readonly DeskWord[]> =>
  all<DeskWord>(world, '/v1/commands', 'before');

export const hasEnded = ({ state }: DeskWord): boolean => TERMINAL.includes(state);

interface AuditItem {
  readonly command: CommandId | null;
  readonly from: string | null;
  readonly to: string | null;
}

/** Ask everybody; the processes of the meters must have stopped, those of the head-end run. */
export async function gather(world: CommandsWorld, orders: readonly Order[]): Promise<Evidence> {
  const words = await deskWords(world);
  const audit = await all<AuditItem>(world, '/v1/audit', 'after');
  const registry = new Map<DeviceId, RegistryWord>();
  const meters = new Map<DeviceId, MeterTruth>();
  for (const device of world.devices) {
    registry.set(device, await world.ask<RegistryWord>(`/v1/meters/${device}`));
    meters.set(device, await truthOf(world, device));
  }
  return {
    orders,
    desk: new Map(words.map((word) => [word.id, word])),
    registry,
    ends: audit.flatMap(({ command, from, to }) =>
      command === null || to === null || from === to ? [] : [{ id: command, to }],
    ),
    meters,
    counted: world.counted(),
    reads: world.reads(),
  };
}

async function truthOf(world: CommandsWorld, device: DeviceId): Promise<MeterTruth> {
  const path = world.journal(device);
  if (path === undefined) return { known: new Map(), state: null };
  const fresh = (): never => {
    throw new Error(`${path} went away`);
  };
  const { ledger } = await Journal.open({ path, device, files: nodeFiles, fresh });
  return { known: new Map(ledger.known.map(({ id, code }) => [id, code])), state: ledger.state };
}
