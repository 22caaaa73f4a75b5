import { always, type Field, unlessEmpty, unlessNull } from '../cbor/record.ts';
import { choice, integer, list, mapped, nullable, type Shape } from '../cbor/shape.ts';
import { DAY_NUMBER_MAX, dayOfNumber, numberOfDay } from '../day.ts';
import { CHANNEL_MAX, EPOCH_SECONDS_MAX, REGISTERS_MAX, WINDOWS_MAX } from '../limits.ts';
import { isObisCode } from '../obis.ts';
import { OBIS_SHAPE } from '../payload.ts';
import type { ObisCode } from '../reading.ts';
import { type TariffWindow, WINDOW_SHAPE } from './tariff.ts';
import { windowsFromText, windowsToText } from './tariff-text.ts';
import { words, wordsPattern } from './words.ts';

/**
 * Arguments of commands: each described once, for the wire (`field`), for people at a terminal (`fromText`,
 * `toText`) and for the API (`schema`).
 */

export type JsonSchema = Readonly<Record<string, unknown>>;
export type Unit = 'cents' | 'W' | 'epoch-seconds' | 'day' | 'characters';

/** What a terminal or a page needs to know of an argument of whatever type. */
export interface ArgumentInfo {
  /** Its name on a command line, without the dashes. */
  readonly option: string;
  readonly says: string;
  /** The unit of its value; a terminal shows and takes euros, kilowatts and ISO times. */
  readonly unit: Unit | null;
  /** JSON Schema of its value. */
  readonly schema: JsonSchema;
  /** Taken where nothing is given; undefined where it must be given. */
  readonly fallback: unknown;
  /** The value that a text means, or undefined. Limits are the codec's question. */
  fromText(text: string): unknown;
  toText(value: unknown): string;
}

export interface Argument<V> extends ArgumentInfo {
  readonly field: Field<V>;
  readonly fallback: V | undefined;
  fromText(text: string): V | undefined;
  toText(value: V): string;
}

interface Common<V> {
  readonly key: number;
  readonly option: string;
  readonly says: string;
  readonly fallback?: V;
}

interface Kind<V> {
  readonly field: Field<V>;
  readonly unit?: Unit;
  readonly schema: JsonSchema;
  readonly fromText: (text: string) => V | undefined;
  readonly toText: (value: V) => string;
}

function argument<V>({ option, says, fallback }: Common<V>, kind: Kind<V>): Argument<V> {
  const { field, unit = null, schema, fromText, toText } = kind;
  const described = { ...schema, description: says };
  return { field, option, says, unit, schema: described, fallback, fromText, toText };
}

const CENTS_PER_EURO = 100;
const EUROS = /^(-?)(\d{1,9})(?:\.(\d\d))?(?: ?(?:€|EUR))?$/;

function centsFromText(text: string): number | undefined {
  const match = EUROS.exec(text);
  if (match === null) return undefined;
  const cents = Number(match[2]) * CENTS_PER_EURO + Number(match[3] ?? 0);
  return match[1] === '-' && cents > 0 ? -cents : cents;
}

function centsToText(cents: number): string {
  const size = Math.abs(cents);
  const euros = Math.floor(size / CENTS_PER_EURO);
  return `${cents < 0 ? '-' : ''}${euros}.${String(size % CENTS_PER_EURO).padStart(2, '0')} €`;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

/** An amount of euros, in cents. */
export function money(common: Common<number> & Range): Argument<number> {
  const { key, min, max } = common;
  return argument(common, {
    field: always(key, integer(min, max)),
    unit: 'cents',
    schema: { type: 'integer', minimum: min, maximum: max },
    fromText: centsFromText,
    toText: centsToText,
  });
}

/** An amount that may be left out. */
export function moneyOrNone(common: Omit<Common<never>, 'fallback'> & Range): Argument<number | null> {
  const { key, min, max } = common;
  return argument<number | null>(
    { ...common, fallback: null },
    {
      field: unlessNull(key, integer(min, max)),
      unit: 'cents',
      schema: { type: ['integer', 'null'], minimum: min, maximum: max },
      fromText: (text) => (text === 'none' ? null : centsFromText(text)),
      toText: (cents) => (cents === null ? 'none' : centsToText(cents)),
    },
  );
}

const KILOWATTS = /^(\d{1,4})(?:\.(\d{1,3}))?(?: ?kW)?$/;

/** A power in watts, or null for none: written out, since a limit that is taken away must be said. */
export function powerOrOff(common: Common<number | null> & Range): Argument<number | null> {
  const { key, min, max } = common;
  return argument<number | null>(common, {
    field: always(key, nullable(integer(min, max))),
    unit: 'W',
    schema: { type: ['integer', 'null'], minimum: min, maximum: max },
    fromText(text) {
      if (text === 'off') return null;
      const match = KILOWATTS.exec(text);
      return match === null ? undefined : Number(match[1]) * 1_000 + Number((match[2] ?? '').padEnd(3, '0'));
    },
    toText: (watts) => (watts === null ? 'off' : `${watts / 1_000} kW`),
  });
}

/** ISO 8601 with its offset: a text without one would mean the zone of whoever reads it. */
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)$/;

export function instant(common: Common<number>): Argument<number> {
  return argument(common, {
    field: always(common.key, integer(0, EPOCH_SECONDS_MAX)),
    unit: 'epoch-seconds',
    schema: { type: 'integer', minimum: 0, maximum: EPOCH_SECONDS_MAX },
    fromText(text) {
      const epochMs = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
      return Number.isNaN(epochMs) ? undefined : epochMs / 1_000;
    },
    toText: (epochSeconds) => new Date(epochSeconds * 1_000).toISOString().replace('.000Z', 'Z'),
  });
}

/** A local day, `YYYY-MM-DD`: it begins at the meter's midnight. */
export function day(common: Common<string>): Argument<string> {
  const shape = mapped(integer(0, DAY_NUMBER_MAX), 'a day, YYYY-MM-DD', numberOfDay, dayOfNumber);
  return argument(common, {
    field: always(common.key, shape),
    unit: 'day',
    schema: { type: 'string', format: 'date' },
    fromText: (text) => (numberOfDay(text) === undefined ? undefined : text),
    toText: (value) => value,
  });
}

/** A word of a table that gives it a number. */
export function word<Word extends string>(
  common: Common<Word>,
  table: Readonly<Record<Word, number>>,
): Argument<Word> {
  return argument(common, {
    field: always(common.key, choice(table)),
    schema: { type: 'string', enum: Object.keys(table) },
    fromText: (text) => (Object.hasOwn(table, text) ? (text as Word) : undefined),
    toText: (value) => value,
  });
}

const ON_OFF: Shape<boolean> = mapped<boolean, number>(
  integer(0, 1),
  'true or false',
  (value) => (value === true ? 1 : value === false ? 0 : undefined),
  (wire) => wire === 1,
);

export function onOff(common: Common<boolean>): Argument<boolean> {
  return argument(common, {
    field: always(common.key, ON_OFF),
    schema: { type: 'boolean' },
    fromText: (text) => (text === 'on' ? true : text === 'off' ? false : undefined),
    toText: (value) => (value ? 'on' : 'off'),
  });
}

export function message(common: Common<string> & { readonly lengthMax: number }): Argument<string> {
  const { key, lengthMax } = common;
  return argument(common, {
    field: always(key, words(0, lengthMax)),
    unit: 'characters',
    schema: { type: 'string', maxLength: lengthMax, pattern: `^${wordsPattern(0, lengthMax)}$` },
    fromText: (text) => text,
    toText: (value) => value,
  });
}

/** 0 is the device's own meter, 1 to 4 an M-Bus channel. */
export function channel(common: Common<number>): Argument<number> {
  return argument(common, {
    field: always(common.key, integer(0, CHANNEL_MAX)),
    schema: { type: 'integer', minimum: 0, maximum: CHANNEL_MAX },
    fromText: (text) => (/^\d$/.test(text) ? Number(text) : undefined),
    toText: String,
  });
}

/** OBIS codes; none of them means all that the meter has. */
export function registers(common: Omit<Common<never>, 'fallback'>): Argument<readonly ObisCode[]> {
  return argument<readonly ObisCode[]>(
    { ...common, fallback: [] },
    {
      field: unlessEmpty(common.key, list(OBIS_SHAPE, 0, REGISTERS_MAX)),
      schema: { type: 'array', items: { type: 'string' }, maxItems: REGISTERS_MAX, uniqueItems: true },
      fromText(text) {
        const codes = text === 'all' ? [] : text.split(',');
        return codes.every(isObisCode) ? codes : undefined;
      },
      toText: (codes) => (codes.length === 0 ? 'all' : codes.join(',')),
    },
  );
}

const WINDOW_SCHEMA: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['days', 'startMinute', 'endMinute', 'rate'],
  properties: {
    days: {
      type: 'integer',
      minimum: 1,
      maximum: 255,
      description: 'bits: Monday 1 … Sunday 64, holidays 128',
    },
    startMinute: { type: 'integer', minimum: 0, maximum: 1439 },
    endMinute: { type: 'integer', minimum: 1, maximum: 1440 },
    rate: { type: 'integer', minimum: 1, maximum: 4 },
  },
};

export function windows(common: Omit<Common<never>, 'fallback'>): Argument<readonly TariffWindow[]> {
  return argument<readonly TariffWindow[]>(
    { ...common, fallback: [] },
    {
      field: unlessEmpty(common.key, list(WINDOW_SHAPE, 0, WINDOWS_MAX)),
      schema: { type: 'array', items: WINDOW_SCHEMA, maxItems: WINDOWS_MAX },
      fromText: windowsFromText,
      toText: windowsToText,
    },
  );
}
