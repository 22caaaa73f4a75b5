import { fits, within } from './error.ts';
import type { CborReader } from './reader.ts';
import { nullable, type Shape } from './shape.ts';

/** Shapes of objects: as arrays where a thing repeats, as maps of integer keys where members may come to join. */

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
