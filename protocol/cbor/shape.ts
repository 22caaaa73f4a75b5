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
      fits(typeof value === 'string' && Object.hasOwn(table, value), expected);
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
