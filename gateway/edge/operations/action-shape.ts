import { row } from '../../../protocol/cbor/record.ts';
import { choice, mapped, nullable, type Shape, safeInteger } from '../../../protocol/cbor/shape.ts';
import { RENEWABLE_KEYS } from '../../../protocol/command/table.ts';
import { CHANNEL_MAX } from '../../../protocol/limits.ts';
import type { Position } from './state.ts';
import type { Action } from './step.ts';

type Kind = Action['kind'];
type Numbers = readonly [number | null, number | null];

interface ActionForm<K extends Kind> {
  readonly number: number;
  write(action: Extract<Action, { kind: K }>): Numbers;
  read(first: number, second: number): Extract<Action, { kind: K }> | undefined;
}

const isPosition = (value: number): value is Position => value === 0 || value === 1 || value === 2;
const isChannel = (value: number): boolean => value >= 0 && value <= CHANNEL_MAX;
type RenewableKey = keyof typeof RENEWABLE_KEYS;
const keyOf = (number: number): RenewableKey | undefined =>
  (Object.keys(RENEWABLE_KEYS) as RenewableKey[]).find((key) => RENEWABLE_KEYS[key] === number);

/** Each action as a number and at most two more. An absent one reads as -1, which is in no range. */
const FORMS: { readonly [K in Kind]: ActionForm<K> } = {
  breaker: {
    number: 1,
    write: ({ position }) => [position, null],
    read: (position) => (isPosition(position) ? { kind: 'breaker', position } : undefined),
  },
  valve: {
    number: 2,
    write: ({ channel, position }) => [channel, position],
    read: (channel, position) =>
      isChannel(channel) && isPosition(position) ? { kind: 'valve', channel, position } : undefined,
  },
  'leak-test': {
    number: 3,
    write: ({ channel }) => [channel, null],
    read: (channel) => (isChannel(channel) ? { kind: 'leak-test', channel } : undefined),
  },
  limiter: {
    number: 4,
    write: ({ powerW }) => [powerW, null],
    read: (powerW) => ({ kind: 'limiter', powerW: powerW < 0 ? null : powerW }),
  },
  port: {
    number: 5,
    write: ({ on }) => [on ? 1 : 0, null],
    read: (on) => (on === 0 || on === 1 ? { kind: 'port', on: on === 1 } : undefined),
  },
  clock: {
    number: 6,
    write: ({ time }) => [time, null],
    read: (time) => (time >= 0 ? { kind: 'clock', time } : undefined),
  },
  credential: {
    number: 7,
    write: ({ key }) => [RENEWABLE_KEYS[key], null],
    read: (number) => {
      const key = keyOf(number);
      return key === undefined ? undefined : { kind: 'credential', key };
    },
  },
  reach: {
    number: 8,
    write: ({ channel }) => [channel, null],
    read: (channel) => (isChannel(channel) ? { kind: 'reach', channel } : undefined),
  },
};

interface Wire {
  readonly kind: Kind;
  readonly first: number | null;
  readonly second: number | null;
}

const numbers = Object.fromEntries(Object.entries(FORMS).map(([kind, { number }]) => [kind, number]));

export const ACTION_SHAPE: Shape<Action> = mapped<Action, Wire>(
  row<Wire>({
    kind: choice(numbers as Readonly<Record<Kind, number>>),
    first: nullable(safeInteger),
    second: nullable(safeInteger),
  }),
  'an action',
  (action) => {
    const [first, second] = (FORMS[action.kind] as ActionForm<Kind>).write(action);
    return { kind: action.kind, first, second };
  },
  ({ kind, first, second }) => FORMS[kind].read(first ?? -1, second ?? -1),
);
