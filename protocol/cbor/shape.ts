import { fits, within } from './error.ts';
import type { CborReader } from './reader.ts';
import type { CborWriter } from './writer.ts';

/**
 * Shapes: one description of a type's CBOR form that both writes and reads it, so that the two cannot part.
 * What does not fit throws a CborError, which gathers the path to itself on its way out.
 */
export interface Shape<T> {
  write(writer: CborWriter, value: T): void;
  read(reader: CborReader): T;
}

export function integer(min: number, max: number): Shape<number> {
  const expected = `an integer from ${min} to ${max}`;
  return {
    write(writer, value) {
      fits(Number.isSafeInteger(value) && value >= min && value <= max, expected);
      writer.integer(value);
    },
    read(reader) {
      const value = reader.integer();
      fits(value >= min && value <= max, expected);
      return value;
    },
  };
}

export const safeInteger = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

/** The pattern must admit ASCII only: then the length in characters is the length in bytes. */
export function text(pattern: RegExp, lengthMax: number): Shape<string> {
  const expected = `a text of at most ${lengthMax} characters of the form ${pattern.source}`;
  return {
    write(writer, value) {
      fits(typeof value === 'string' && value.length <= lengthMax && pattern.test(value), expected);
      writer.text(value);
    },
    read(reader) {
      const value = reader.text(lengthMax);
      fits(pattern.test(value), expected);
      return value;
    },
  };
}

export function byteString(lengthMin: number, lengthMax: number): Shape<Uint8Array> {
  const expected = `a byte string of ${lengthMin} to ${lengthMax} bytes`;
  return {
    write(writer, value) {
      fits(value instanceof Uint8Array && value.length >= lengthMin && value.length <= lengthMax, expected);
      writer.bytes(value);
    },
    read(reader) {
      const value = reader.bytes(lengthMax);
      fits(value.length >= lengthMin, expected);
      return value;
    },
  };
}

/** A value that has another form on the wire; either function gives undefined where it has none. */
export function mapped<T, U>(
  inner: Shape<U>,
  expected: string,
  toWire: (value: T) => U | undefined,
  fromWire: (wire: U) => T | undefined,
): Shape<T> {
  return {
    write(writer, value) {
      const wire = toWire(value);
      fits(wire !== undefined, expected);
      inner.write(writer, wire);
    },
    read(reader) {
      const value = fromWire(inner.read(reader));
      fits(value !== undefined, expected);
      return value;
    },
  };
}

/** A word of a table, as the number that the table gives it. */
export function choice<Word extends string>(table: Readonly<Record<Word, number>>): Shape<Word> {
  const words = new Map<number, Word>();
  for (const word of Object.keys(table) as Word[]) words.set(table[word], word);
  const expected = `one of ${Object.keys(table).join(', ')}`;
  return {
    write(writer, value) {
      fits(Object.hasOwn(table, value), expected);
      writer.integer(table[value]);
    },
    read(reader) {
      const word = words.get(reader.integer());
      fits(word !== undefined, expected);
      return word;
    },
  };
}

export function literal<T extends number>(only: T): Shape<T> {
  const expected = `the number ${only}`;
  return {
    write(writer, value) {
      fits(value === only, expected);
      writer.integer(only);
    },
    read(reader) {
      fits(reader.integer() === only, expected);
      return only;
    },
  };
}

export function nullable<T>(inner: Shape<T>): Shape<T | null> {
  return {
    write(writer, value) {
      if (value === null) writer.null();
      else inner.write(writer, value);
    },
    read: (reader) => (reader.isNull() ? null : inner.read(reader)),
  };
}

export function list<T>(inner: Shape<T>, countMin: number, countMax: number): Shape<readonly T[]> {
  const expected = `an array of ${countMin} to ${countMax}`;
  return {
    write(writer, value) {
      fits(Array.isArray(value) && value.length >= countMin && value.length <= countMax, expected);
      writer.array(value.length);
      let index = 0;
      try {
        for (; index < value.length; index += 1) inner.write(writer, value[index]);
      } catch (error) {
        throw within(error, index);
      }
    },
    read(reader) {
      const count = reader.array(countMin, countMax);
      const value: T[] = [];
      try {
        while (value.length < count) value.push(inner.read(reader));
      } catch (error) {
        throw within(error, value.length);
      }
      return value;
    },
  };
}

/** Integers and nulls; what `list(nullable(safeInteger))` would be, in one loop. */
export function series(countMin: number, countMax: number): Shape<readonly (number | null)[]> {
  const expected = `an array of ${countMin} to ${countMax} safe integers or nulls`;
  return {
    write(writer, values) {
      fits(Array.isArray(values) && values.length >= countMin && values.length <= countMax, expected);
      writer.array(values.length);
      for (const value of values)
        if (value === null) writer.null();
        else {
          fits(Number.isSafeInteger(value), expected);
          writer.integer(value);
        }
    },
    read: (reader) => reader.series(countMin, countMax),
  };
}

/**
 * An object as an array, its members in the order in which the table names them.
 *
 * @param straight the same reading written out as one object literal, for rows that every message repeats: the
 *   engine then knows the object and its members, which the loop over a table hides from it (a third of the
 *   time of decoding a payload). Where it fails the table reads again, and says which member did not fit.
 */
export function row<T extends object>(
  members: { readonly [K in keyof T]: Shape<T[K]> },
  straight?: (reader: CborReader) => T,
): Shape<T> {
  const names = Object.keys(members) as (keyof T & string)[];
  const shapes = names.map((name) => members[name]);

  function readByTable(reader: CborReader): T {
    const value: Partial<T> = {};
    let index = 0;
    try {
      for (; index < names.length; index += 1) value[names[index]!] = shapes[index]!.read(reader);
    } catch (error) {
      throw within(error, names[index]!);
    }
    return value as T;
  }

  return {
    write(writer, value) {
      fits(typeof value === 'object' && value !== null, 'an object');
      writer.array(names.length);
      let index = 0;
      try {
        for (; index < names.length; index += 1) shapes[index]!.write(writer, value[names[index]!]);
      } catch (error) {
        throw within(error, names[index]!);
      }
    },
    read(reader) {
      reader.array(names.length, names.length);
      if (straight === undefined) return readByTable(reader);
      const start = reader.offset;
      try {
        return straight(reader);
      } catch {
        reader.rewind(start);
        return readByTable(reader);
      }
    },
  };
}

/** A member of a map: its integer key and its shape. */
export interface Field<V> {
  readonly key: number;
  readonly shape: Shape<V>;
  /** The value that says nothing: it is not written, and absence reads as it. One value, one encoding. */
  readonly absent?: { readonly is: (value: V) => boolean; readonly value: V };
}

export const always = <V>(key: number, shape: Shape<V>): Field<V> => ({ key, shape });
export const unlessNull = <V>(key: number, shape: Shape<V>): Field<V | null> => ({
  key,
  shape: nullable(shape),
  absent: { is: (value) => value === null, value: null },
});
export const unlessZero = (key: number, shape: Shape<number>): Field<number> => ({
  key,
  shape,
  absent: { is: (value) => value === 0, value: 0 },
});
export const unlessEmpty = <V>(key: number, shape: Shape<readonly V[]>): Field<readonly V[]> => ({
  key,
  shape,
  absent: { is: (value) => Array.isArray(value) && value.length === 0, value: Object.freeze<V[]>([]) },
});

/** An object as a map of integer keys, rising: that is the order that deterministic encoding asks for. */
export function fields<T extends object>(members: { readonly [K in keyof T]: Field<T[K]> }): Shape<T> {
  const names = Object.keys(members) as (keyof T & string)[];
  const table = names.map((name) => members[name]);
  const alwaysThere = table.filter((field) => field.absent === undefined).length;
  const known = new Set(table.map((field) => field.key));
  table.reduce((previous, { key }) => {
    if (key <= previous) throw new RangeError('the keys of a map must rise');
    return key;
  }, -1);
  return {
    write(writer, value) {
      fits(typeof value === 'object' && value !== null, 'an object');
      const isAbsent = (field: (typeof table)[number], index: number): boolean =>
        field.absent?.is(value[names[index]!]) ?? false;
      let count = 0;
      table.forEach((field, index) => {
        if (!isAbsent(field, index)) count += 1;
      });
      writer.map(count);
      let index = 0;
      try {
        for (; index < table.length; index += 1) {
          const field = table[index]!;
          if (isAbsent(field, index)) continue;
          writer.integer(field.key);
          field.shape.write(writer, value[names[index]!]);
        }
      } catch (error) {
        throw within(error, names[index]!);
      }
    },
    read(reader) {
      let left = reader.map(alwaysThere, table.length);
      const value: Partial<T> = {};
      let index = 0;
      let key = -1;
      try {
        for (; index < table.length; index += 1) {
          const field = table[index]!;
          const name = names[index]!;
          if (key < field.key && left > 0) {
            const next = reader.integer();
            fits(next > key && known.has(next), 'a known member, in the order of the keys');
            key = next;
            left -= 1;
          }
          if (key === field.key) {
            const member = field.shape.read(reader);
            fits(!(field.absent?.is(member) ?? false), 'no member where it says nothing');
            value[name] = member;
          } else {
            fits(field.absent !== undefined, 'a member that is always there');
            value[name] = field.absent.value;
          }
        }
      } catch (error) {
        throw within(error, names[index]!);
      }
      fits(left === 0, 'no other members');
      return value as T;
    },
  };
}
