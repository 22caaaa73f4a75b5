import { fields } from '../cbor/record.ts';
import type { Shape } from '../cbor/shape.ts';
import type { Argument, ArgumentInfo } from './argument.ts';
import type { ResultCode } from './codes.ts';
import type { Role } from './roles.ts';

/** What goes first where several commands wait for one device; the lowest number first. */
export const PRIORITY = {
  /** Somebody sits in the dark. */
  reconnect: 0,
  disconnect: 1,
  /** Balances decide whether a supply is cut. */
  credit: 2,
  service: 3,
  routine: 4,
} as const;

/** What a failed command may be tried again after, whatever it is: nothing was changed, and later it may go. */
const RETRYABLE_ALWAYS: readonly ResultCode[] = ['busy', 'storage'];

/**
 * The things that commands are about, each with a counter of its own per signer: a later command about a thing makes
 * an earlier one void, and leaves those about other things alone, such as one that still waits for its approval.
 */
export const COUNTERS = [
  'tariff',
  'prepayment',
  'balance',
  'breaker',
  'valve',
  'limiter',
  'airplane',
  'p1',
  'read',
  'display',
  'clock',
  'credential',
] as const;
export type CounterName = (typeof COUNTERS)[number];

export interface CommandRow<A extends object> {
  /** On the wire. A number is never given twice. */
  readonly number: number;
  /** What it does, as the end of "the command …". */
  readonly says: string;
  /** In the order of their keys. */
  readonly arguments: Readonly<Record<keyof A & string, ArgumentInfo>>;
  readonly shape: Shape<A>;
  /** Roles that may give the first signature, or the only one. */
  readonly propose: readonly Role[];
  /** Roles that may give the second signature: some where the command is critical, none where it is not. */
  readonly approve: readonly Role[];
  readonly critical: boolean;
  /** Signatures that it needs, neither fewer nor more. */
  readonly signatures: 1 | 2;
  /** Whether its signer must say why; others may. */
  readonly reasonRequired: boolean;
  readonly counter: CounterName;
  /**
   * Whose meter it is about. `device`: only the home tenant of the device may give it. `channel`: whoever owns the
   * meters that it is about, guests too, and nobody for those of another.
   */
  readonly scope: 'device' | 'channel';
  readonly priority: number;
  /** From not-before to expiry: where nothing else is asked for, and at most. */
  readonly expirySeconds: number;
  readonly expirySecondsMax: number;
  readonly retryable: readonly ResultCode[];
  /**
   * What a device holds the validity of it against: its clock, or, where that clock is what is wrong, only the
   * counter, which is the time of signing and rises.
   */
  readonly judgedBy: 'clock' | 'counter';
  /** Its IEC 61968-9 control code, or null where the standard has none: then a tenant maps it as data. */
  control(args: A): string | null;
  /** Why arguments that are each in range do not fit each other; undefined where they do. */
  rule(args: A): string | undefined;
}

interface Described<A extends object> {
  readonly number: number;
  readonly says: string;
  readonly arguments: { readonly [K in keyof A & string]: Argument<A[K]> };
  readonly propose: readonly Role[];
  readonly critical?: true;
  readonly counter: CounterName;
  readonly scope?: 'channel';
  readonly priority: number;
  readonly expirySeconds: number;
  readonly expirySecondsMax: number;
  readonly retryable?: readonly ResultCode[];
  readonly judgedBy?: 'counter';
  readonly control?: string | ((args: A) => string);
  readonly rule?: (args: A) => string | undefined;
}

const APPROVE: readonly Role[] = ['approver'];

export function commandRow<A extends object>(described: Described<A>): CommandRow<A> {
  const { control = null, rule = () => undefined, retryable = [] } = described;
  const critical = described.critical === true;
  const table = described.arguments as unknown as Readonly<Record<string, Argument<unknown>>>;
  const members = Object.fromEntries(Object.entries(table).map(([name, { field }]) => [name, field]));
  return {
    number: described.number,
    says: described.says,
    arguments: described.arguments,
    shape: fields<A>(members as unknown as Parameters<typeof fields<A>>[0]),
    propose: described.propose,
    approve: critical ? APPROVE : [],
    critical,
    signatures: critical ? 2 : 1,
    reasonRequired: critical,
    counter: described.counter,
    scope: described.scope ?? 'device',
    priority: described.priority,
    expirySeconds: described.expirySeconds,
    expirySecondsMax: described.expirySecondsMax,
    retryable: [...RETRYABLE_ALWAYS, ...retryable],
    judgedBy: described.judgedBy ?? 'clock',
    control: (args) => (typeof control === 'function' ? control(args) : control),
    rule,
  };
}

/** A row whose arguments are known only at run time. */
export interface AnyCommandRow extends Omit<CommandRow<object>, 'arguments'> {
  readonly arguments: Readonly<Record<string, ArgumentInfo>>;
}
