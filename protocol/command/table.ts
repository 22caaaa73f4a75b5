import { MESSAGE_LENGTH_MAX } from '../limits.ts';
import type { ObisCode } from '../reading.ts';
import {
  channel,
  day,
  instant,
  message,
  money,
  moneyOrNone,
  onOff,
  powerOrOff,
  registers,
  windows,
  word,
} from './argument.ts';
import { type AnyCommandRow, type CommandRow, commandRow, PRIORITY } from './row.ts';
import { PLANS, type TariffWindow, tariffFault } from './tariff.ts';

/**
 * Every command: a row that the command line, the API, the desk and the meter all read. A command that is added
 * here is everywhere; what a meter does with it is the one thing that is not here.
 */

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

const PLAN_NUMBERS = { mono: PLANS.mono.number, bi: PLANS.bi.number, impact: PLANS.impact.number } as const;

/** Why a supply is cut or given back. `credit` is what a non-disconnection period forbids to cut for. */
export const SUPPLY_CAUSES = {
  credit: 1,
  request: 2,
  'moving-out': 3,
  works: 4,
  safety: 5,
  fraud: 6,
} as const;
const cause = (key: number) =>
  word({ key, option: 'cause', says: 'why the supply is cut or given back' }, SUPPLY_CAUSES);

/** The keys of a device that it can renew: one for each use. */
export const RENEWABLE_KEYS = { tls: 1, sign: 2, agree: 3 } as const;

/** Cents. A start credit and a balance may hold what an old meter took along. */
const START_CREDIT_MAX = 25_000;
const ALERT_MAX = 5_000;
const EMERGENCY_CREDIT_MAX = 5_000;
const BALANCE_MIN = -50_000;
const BALANCE_MAX = 100_000;
/** Top-ups are from 5 to 250 € (rules of the operators). */
const TOP_UP_MIN = 500;
const TOP_UP_MAX = 25_000;

/** Watts. Below a kilowatt no supply is of use; 999.9 kW on P1 means none, and a household's fuse ends far below. */
const LIMIT_MIN_W = 1_000;
const LIMIT_MAX_W = 99_900;
/** What 0-0:17.0.0 can show. */
const LIMIT_STEP_W = 100;

const person = ['operator', 'lopex'] as const;
const prepayment = ['operator', 'prepayment', 'lopex', 'marco'] as const;
const supply = ['operator', 'lopex', 'marco'] as const;

const supplyTimes = { expirySeconds: 2 * DAY, expirySecondsMax: 14 * DAY } as const;
const dayTimes = { expirySeconds: DAY, expirySecondsMax: 14 * DAY } as const;

export const COMMANDS = {
  'tariff.set': commandRow<{
    plan: keyof typeof PLANS;
    windows: readonly TariffWindow[];
    from: string;
  }>({
    number: 1,
    says: 'sets the tariff plan and its switching windows',
    arguments: {
      plan: word({ key: 1, option: 'plan', says: 'the tariff plan' }, PLAN_NUMBERS),
      windows: windows({
        key: 2,
        option: 'windows',
        says: 'the switching windows, local time, as mon-fri+hol@07:00-22:00=1,…; none for mono',
      }),
      from: day({ key: 3, option: 'from', says: 'the local day on which it takes effect' }),
    },
    propose: person,
    counter: 'tariff',
    priority: PRIORITY.routine,
    expirySeconds: 7 * DAY,
    expirySecondsMax: 60 * DAY,
    rule: tariffFault,
  }),
  'prepayment.activate': commandRow<{
    startCreditCents: number;
    lowCreditAlertCents: number;
    emergencyCreditCents: number;
  }>({
    number: 2,
    says: 'puts the meter into prepayment',
    arguments: {
      startCreditCents: money({
        key: 1,
        option: 'start-credit',
        says: 'credit to start with, paid back day by day',
        min: 0,
        max: START_CREDIT_MAX,
        fallback: 2_000,
      }),
      lowCreditAlertCents: money({
        key: 2,
        option: 'low-credit-alert',
        says: 'balance at which the meter alerts; the customer may change it',
        min: 0,
        max: ALERT_MAX,
        fallback: 500,
      }),
      emergencyCreditCents: money({
        key: 3,
        option: 'emergency-credit',
        says: 'how far below zero the balance may fall before the supply is cut',
        min: 0,
        max: EMERGENCY_CREDIT_MAX,
        fallback: 1_500,
      }),
    },
    propose: prepayment,
    counter: 'prepayment',
    critical: true,
    priority: PRIORITY.credit,
    expirySeconds: 7 * DAY,
    expirySecondsMax: 30 * DAY,
  }),
  'prepayment.deactivate': commandRow<object>({
    number: 3,
    says: 'takes the meter out of prepayment',
    arguments: {},
    propose: prepayment,
    counter: 'prepayment',
    critical: true,
    priority: PRIORITY.credit,
    expirySeconds: 7 * DAY,
    expirySecondsMax: 30 * DAY,
  }),
  'prepayment.balance': commandRow<{
    balanceCents: number;
    asOf: number;
    topUpCents: number | null;
  }>({
    number: 4,
    says: 'tells the meter its balance',
    arguments: {
      balanceCents: money({
        key: 1,
        option: 'balance',
        says: 'the balance, negative where emergency credit is in use',
        min: BALANCE_MIN,
        max: BALANCE_MAX,
      }),
      asOf: instant({ key: 2, option: 'as-of', says: 'when that was the balance' }),
      topUpCents: moneyOrNone({
        key: 3,
        option: 'top-up',
        says: 'the top-up that it follows, where it is not the daily one',
        min: TOP_UP_MIN,
        max: TOP_UP_MAX,
      }),
    },
    propose: prepayment,
    counter: 'balance',
    priority: PRIORITY.credit,
    expirySeconds: DAY,
    expirySecondsMax: 3 * DAY,
  }),
  'breaker.open': commandRow<{ cause: keyof typeof SUPPLY_CAUSES }>({
    number: 5,
    says: 'cuts the electricity supply',
    arguments: { cause: cause(1) },
    propose: supply,
    counter: 'breaker',
    critical: true,
    priority: PRIORITY.disconnect,
    ...supplyTimes,
    control: '0.31.0.23',
  }),
  'breaker.arm': commandRow<{ cause: keyof typeof SUPPLY_CAUSES }>({
    number: 6,
    says: 'lets the person on site close the breaker with its button',
    arguments: { cause: cause(1) },
    propose: supply,
    counter: 'breaker',
    priority: PRIORITY.reconnect,
    ...supplyTimes,
    control: '0.31.0.5',
  }),
  'valve.close': commandRow<{ channel: number; cause: keyof typeof SUPPLY_CAUSES }>({
    number: 7,
    says: 'closes the valve of a gas or water meter',
    arguments: {
      channel: channel({ key: 1, option: 'channel', says: 'its M-Bus channel; 0 is the device’s own meter' }),
      cause: cause(2),
    },
    propose: supply,
    counter: 'valve',
    scope: 'channel',
    critical: true,
    priority: PRIORITY.disconnect,
    retryable: ['channel'],
    ...supplyTimes,
  }),
  'valve.arm': commandRow<{ channel: number; cause: keyof typeof SUPPLY_CAUSES }>({
    number: 8,
    says: 'lets the person on site open the valve; gas after its leak test',
    arguments: {
      channel: channel({ key: 1, option: 'channel', says: 'its M-Bus channel; 0 is the device’s own meter' }),
      cause: cause(2),
    },
    propose: supply,
    counter: 'valve',
    scope: 'channel',
    priority: PRIORITY.reconnect,
    retryable: ['channel'],
    ...supplyTimes,
  }),
  'limiter.set': commandRow<{ powerW: number | null }>({
    number: 9,
    says: 'limits the power of the supply, or ends the limit',
    arguments: {
      powerW: powerOrOff({
        key: 1,
        option: 'power',
        says: 'kilowatts in steps of 0.1, or off',
        min: LIMIT_MIN_W,
        max: LIMIT_MAX_W,
      }),
    },
    propose: person,
    counter: 'limiter',
    critical: true,
    priority: PRIORITY.service,
    ...supplyTimes,
    control: ({ powerW }) => (powerW === null ? '0.31.139.22' : '0.31.139.26'),
    rule: ({ powerW }) =>
      powerW === null || powerW % LIMIT_STEP_W === 0 ? undefined : 'the power is in steps of 100 W',
  }),
  'airplane.on': commandRow<object>({
    number: 10,
    says: 'silences the meter until somebody ends that at the meter itself',
    arguments: {},
    propose: person,
    counter: 'airplane',
    critical: true,
    priority: PRIORITY.service,
    expirySeconds: 7 * DAY,
    expirySecondsMax: 30 * DAY,
  }),
  'p1.set': commandRow<{ on: boolean }>({
    number: 11,
    says: 'opens or closes the customer port',
    arguments: { on: onOff({ key: 1, option: 'port', says: 'on or off' }) },
    propose: person,
    counter: 'p1',
    priority: PRIORITY.service,
    expirySeconds: 7 * DAY,
    expirySecondsMax: 30 * DAY,
  }),
  'read.now': commandRow<{ registers: readonly ObisCode[] }>({
    number: 12,
    says: 'reads registers now',
    arguments: {
      registers: registers({
        key: 1,
        option: 'registers',
        says: 'OBIS codes, joined by commas; all where none is named',
      }),
    },
    propose: person,
    counter: 'read',
    scope: 'channel',
    priority: PRIORITY.service,
    retryable: ['channel'],
    ...dayTimes,
    rule: ({ registers: codes }) =>
      new Set(codes).size === codes.length ? undefined : 'a register is named twice',
  }),
  'display.message': commandRow<{ text: string; until: number }>({
    number: 13,
    says: 'shows a message on the meter and at its customer port',
    arguments: {
      text: message({
        key: 1,
        option: 'text',
        says: 'the message; empty takes the present one away',
        lengthMax: MESSAGE_LENGTH_MAX,
      }),
      until: instant({ key: 2, option: 'until', says: 'when it goes away by itself' }),
    },
    propose: supply,
    counter: 'display',
    priority: PRIORITY.routine,
    ...dayTimes,
  }),
  'clock.sync': commandRow<{ time: number }>({
    number: 14,
    says: 'sets the clock of the meter',
    arguments: { time: instant({ key: 1, option: 'time', says: 'the time when it is signed' }) },
    propose: ['operator'],
    counter: 'clock',
    priority: PRIORITY.service,
    expirySeconds: 5 * MINUTE,
    expirySecondsMax: HOUR,
    judgedBy: 'counter',
  }),
  'credential.renew': commandRow<{ key: keyof typeof RENEWABLE_KEYS }>({
    number: 15,
    says: 'has the device make a new key and ask for its certificate',
    arguments: {
      key: word({ key: 1, option: 'key', says: 'the use of the key' }, RENEWABLE_KEYS),
    },
    propose: ['operator'],
    counter: 'credential',
    priority: PRIORITY.routine,
    expirySeconds: 7 * DAY,
    expirySecondsMax: 60 * DAY,
    control: '0.12.32.13',
  }),
} as const;

export type CommandType = keyof typeof COMMANDS;
export type ArgumentsOf<T extends CommandType> = (typeof COMMANDS)[T] extends CommandRow<infer A> ? A : never;

export const COMMAND_TYPES = Object.keys(COMMANDS) as readonly CommandType[];

export function isCommandType(text: unknown): text is CommandType {
  return typeof text === 'string' && Object.hasOwn(COMMANDS, text);
}

const byNumber = new Map(COMMAND_TYPES.map((type) => [COMMANDS[type].number, type]));

/** The type that has a number on the wire. */
export const commandTypeOf = (number: number): CommandType | undefined => byNumber.get(number);

/** The row of a type that is known only at run time. */
export const rowOf = (type: CommandType): AnyCommandRow => COMMANDS[type] as CommandRow<object>;
