import { type CborItem, type CborValue, wireInteger } from './codec.ts';

/**
 * Shapes: one description of a type's CBOR form that both encodes and decodes it, so that the two cannot part.
 * A value that does not fit throws a Misfit, which gathers the path to itself on its way out.
 */
export interface Shape<T> {
  encode(value: T): CborValue;
  decode(item: CborItem): T;
}

/** Internal to the codecs: they turn it into their own typed error. Says what was expected, never what was there. */
export class Misfit extends Error {
  readonly path: (string | number)[] = [];

  get field(): string {
    return this.path.length === 0 ? '.' : this.path.join('.');
  }
}

function at(error: unknown, step: string | number): unknown {
  if (error instanceof Misfit) error.path.unshift(step);
  return error;
}

function fits(condition: boolean, expected: string): asserts condition {
  if (!condition) throw new Misfit(expected);
}

export function integer(min: number, max: number): Shape<number> {
  const expected = `an integer from ${min} to ${max}`;
  const check = (value: unknown): number => {
    fits(Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max, expected);
    return value as number;
  };
  const small = min >= 0 && max <= 0xffffffff;
  return { encode: small ? check : (value) => wireInteger(check(value)), decode: check };
}

export const safeInteger = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

export function text(pattern: RegExp, lengthMax: number): Shape<string> {
  const check = (value: unknown): string => {
    fits(
      typeof value === 'string' && value.length <= lengthMax && pattern.test(value),
      `a text of at most ${lengthMax} characters of the form ${pattern.source}`,
    );
    return value;
  };
  return { encode: check, decode: check };
}

export function byteString(lengthMin: number, lengthMax: number): Shape<Uint8Array> {
  const check = (value: unknown): Uint8Array => {
    fits(
      value instanceof Uint8Array && value.length >= lengthMin && value.length <= lengthMax,
      `a byte string of ${lengthMin} to ${lengthMax} bytes`,
    );
    return value;
  };
  return { encode: check, decode: check };
}

/** A value written in another form: `parse` and `format` return undefined where it does not fit. */
export function mapped<T, U>(
  inner: Shape<U>,
  expected: string,
  toWire: (value: T) => U | undefined,
  fromWire: (wire: U) => T | undefined,
): Shape<T> {
  return {
    encode(value) {
      const wire = toWire(value);
      fits(wire !== undefined, expected);
      return inner.encode(wire);
    },
    decode(item) {
      const value = fromWire(inner.decode(item));
      fits(value !== undefined, expected);
      return value;
    },
  };
}

/** A word of a table, as the number that the table gives it. */
export function choice<Word extends string>(table: Readonly<Record<Word, number>>): Shape<Word> {
  const words = new Map<CborItem, Word>();
  for (const word of Object.keys(table) as Word[]) words.set(table[word], word);
  const expected = `one of ${Object.keys(table).join(', ')}`;
  return {
    encode(value) {
      fits(Object.hasOwn(table, value), expected);
      return table[value];
    },
    decode(item) {
      const word = words.get(item);
      fits(word !== undefined, expected);
      return word;
    },
  };
}

export function literal<T extends number>(only: T): Shape<T> {
  const check = (value: unknown): T => {
    fits(value === only, `the number ${only}`);
    return only;
  };
  return { encode: check, decode: check };
}

export function nullable<T>(inner: Shape<T>): Shape<T | null> {
  return {
    encode: (value) => (value === null ? null : inner.encode(value)),
    decode: (item) => (item === null ? null : inner.decode(item)),
  };
}

export function list<T>(inner: Shape<T>, countMin: number, countMax: number): Shape<readonly T[]> {
  const expected = `an array of ${countMin} to ${countMax}`;
  function each<From, To>(from: unknown, step: (entry: From) => To): To[] {
    fits(Array.isArray(from) && from.length >= countMin && from.length <= countMax, expected);
    const to: To[] = [];
    try {
      for (const entry of from) to.push(step(entry));
    } catch (error) {
      throw at(error, to.length);
    }
    return to;
  }
  return {
    encode: (value) => each(value, (entry: T) => inner.encode(entry)),
    decode: (item) => each(item, (entry: CborItem) => inner.decode(entry)),
  };
}

/** An object as an array, its members in the order in which the table names them. */
export function row<T extends object>(members: { readonly [K in keyof T]: Shape<T[K]> }): Shape<T> {
  const names = Object.keys(members) as (keyof T & string)[];
  const shapes = names.map((name) => members[name]);
  return {
    encode(value) {
      fits(typeof value === 'object' && value !== null, 'an object');
      const wire: CborValue[] = [];
      for (let index = 0; index < names.length; index += 1) {
        const name = names[index]!;
        try {
          wire.push(shapes[index]!.encode(value[name]));
        } catch (error) {
          throw at(error, name);
        }
      }
      return wire;
    },
    decode(item) {
      fits(Array.isArray(item) && item.length === names.length, `an array of ${names.length}`);
      const value: Partial<T> = {};
      for (let index = 0; index < names.length; index += 1) {
        const name = names[index]!;
        try {
          value[name] = shapes[index]!.decode(item[index]);
        } catch (error) {
          throw at(error, name);
        }
      }
      return value as T;
    },
  };
}

/** A member of a map: its integer key, its shape, and the value that is not written and stands for absence. */
export type Field<V> =
  | readonly [key: number, shape: Shape<V>]
  | readonly [key: number, shape: Shape<V>, absent: (value: V) => boolean, standIn: V];

/** An object as a map of integer keys, rising: that is the order that deterministic encoding asks for. */
export function fields<T extends object>(members: { readonly [K in keyof T]: Field<T[K]> }): Shape<T> {
  const names = Object.keys(members) as (keyof T & string)[];
  const table = names.map((name) => members[name]);
  table.reduce((previous, [key]) => {
    if (key <= previous) throw new RangeError('the keys of a map must rise');
    return key;
  }, -1);
  return {
    encode(value) {
      fits(typeof value === 'object' && value !== null, 'an object');
      const wire = new Map<number, CborValue>();
      for (let index = 0; index < names.length; index += 1) {
        const name = names[index]!;
        const [key, shape, absent] = table[index]!;
        const member = value[name];
        if (absent?.(member)) continue;
        try {
          wire.set(key, shape.encode(member));
        } catch (error) {
          throw at(error, name);
        }
      }
      return wire;
    },
    decode(item) {
      fits(item instanceof Map, 'a map');
      const value: Partial<T> = {};
      let known = 0;
      for (let index = 0; index < names.length; index += 1) {
        const name = names[index]!;
        const field = table[index]!;
        const member = item.get(field[0]) as CborItem | undefined;
        try {
          if (member === undefined) {
            fits(field.length === 4, 'a member that is always there');
            value[name] = field[3];
            continue;
          }
          known += 1;
          const decoded = field[1].decode(member);
          // One value has one encoding: what stands for absence is not written out.
          fits(field.length === 2 || !field[2](decoded), 'no member where it says nothing');
          value[name] = decoded;
        } catch (error) {
          throw at(error, name);
        }
      }
      fits(known === item.size, 'no other members');
      return value as T;
    },
  };
}
