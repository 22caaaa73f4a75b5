import { type CborItem, decodeCbor } from '../../cbor/codec.ts';
import type { Entry, Rules, Type } from './parse.ts';

/** Whether bytes are what a rule says. Test support; messages name the path, and may name the value. */

const BOUNDS = { bytesMax: 65_536, depthMax: 16, itemsMax: 20_000 };

class Mismatch extends Error {}

/** The tag and the content of a tagged message: the codec itself refuses tags. */
function untag(bytes: Uint8Array): { tag: number | null; content: Uint8Array } {
  const first = bytes[0] ?? 0;
  if (first === 0xd8) return { tag: bytes[1]!, content: bytes.subarray(2) };
  if (first >> 5 === 6) return { tag: first & 31, content: bytes.subarray(1) };
  return { tag: null, content: bytes };
}

/** @throws Error with the path at which bytes and rule part */
export function validate(rules: Rules, name: string, bytes: Uint8Array): void {
  let type = resolve(rules, { kind: 'name', name });
  const { tag, content } = untag(bytes);
  if (type.kind === 'tag') {
    if (tag !== type.tag) throw new Mismatch(`${name}: expected the tag ${type.tag}, found ${tag}`);
    type = type.content;
  } else if (tag !== null) throw new Mismatch(`${name}: expected no tag, found ${tag}`);
  match(rules, type, decodeCbor(content, BOUNDS), name);
}

function resolve(rules: Rules, type: Type): Type {
  if (type.kind !== 'name') return type;
  const rule = rules.get(type.name);
  return rule === undefined ? type : resolve(rules, rule);
}

const PRELUDE: Readonly<Record<string, (item: CborItem) => boolean>> = {
  int: (item) => typeof item === 'number',
  uint: (item) => typeof item === 'number' && item >= 0,
  tstr: (item) => typeof item === 'string',
  bstr: (item) => item instanceof Uint8Array,
  nil: (item) => item === null,
};

function check(condition: boolean, path: string, expected: string): asserts condition {
  if (!condition) throw new Mismatch(`${path}: expected ${expected}`);
}

function match(rules: Rules, unresolved: Type, item: CborItem, path: string): void {
  const type = resolve(rules, unresolved);
  if (type.kind === 'name') matchPrelude(type.name, item, path);
  else if (type.kind === 'choice') matchChoice(rules, type.options, item, path);
  else if (type.kind === 'value') check(same(type.value, item), path, String(type.value));
  else if (type.kind === 'array') matchArray(rules, type.entries, item, path);
  else if (type.kind === 'map') matchMap(rules, type.entries, item, path);
  else if (type.kind === 'control') matchControl(rules, type, item, path);
  else if (type.kind === 'tag') check(false, path, 'no tag inside a message');
  else if (type.kind === 'group') throw new Error('CDDL: a group outside of a map');
  else {
    const { min, max } = type;
    check(typeof item === 'number' && item >= min && item <= max, path, `${min}..${max}`);
  }
}

function matchPrelude(name: string, item: CborItem, path: string): void {
  const known = PRELUDE[name];
  if (known === undefined) throw new Error(`CDDL: no rule ${name}`);
  check(known(item), path, name);
}

function same(value: number | string | Uint8Array, item: CborItem): boolean {
  if (value instanceof Uint8Array) return item instanceof Uint8Array && Buffer.compare(value, item) === 0;
  return value === item;
}

function matchChoice(rules: Rules, options: readonly Type[], item: CborItem, path: string): void {
  const reasons: string[] = [];
  for (const option of options)
    try {
      match(rules, option, item, path);
      return;
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      reasons.push(error.message);
    }
  throw new Mismatch(reasons.join(' or '));
}

function matchArray(rules: Rules, entries: readonly Entry[], item: CborItem, path: string): void {
  check(Array.isArray(item), path, 'an array');
  let at = 0;
  for (const { min, max, type } of entries) {
    let count = 0;
    while (count < max && at < item.length) {
      if (count >= min && entries.length > 1 && !fits(rules, type, item[at]!)) break;
      match(rules, type, item[at]!, `${path}.${at}`);
      at += 1;
      count += 1;
    }
    check(count >= min, path, `at least ${min} members, found ${count}`);
  }
  check(at === item.length, path, `no more than ${at} members`);
}

function fits(rules: Rules, type: Type, item: CborItem): boolean {
  try {
    match(rules, type, item, '');
    return true;
  } catch (error) {
    if (error instanceof Mismatch) return false;
    throw error;
  }
}

function matchMap(rules: Rules, entries: readonly Entry[], item: CborItem, path: string): void {
  check(item instanceof Map, path, 'a map');
  let known = 0;
  for (const { min, key, type } of entries) {
    const member: CborItem | undefined = item.get(key!);
    if (member === undefined) {
      check(min === 0, `${path}.${key}`, 'a member that is always there');
      continue;
    }
    known += 1;
    match(rules, type, member, `${path}.${key}`);
  }
  check(known === item.size, path, 'no other members');
}

function matchControl(
  rules: Rules,
  type: Extract<Type, { kind: 'control' }>,
  item: CborItem,
  path: string,
): void {
  match(rules, type.target, item, path);
  const argument = resolve(rules, type.argument);
  if (type.control === 'cbor') {
    match(rules, argument, decodeCbor(item as Uint8Array, BOUNDS), `${path}.cbor`);
  } else if (type.control === 'regexp') {
    const pattern = new RegExp(`^(?:${argument.kind === 'value' ? argument.value : ''})$`);
    check(pattern.test(item as string), path, String(pattern));
  } else {
    const { min, max } = sizes(argument);
    const { length } = item as string | Uint8Array;
    check(length >= min && length <= max, path, `${min} to ${max} bytes, found ${length}`);
  }
}

/** The sizes that `.size` allows: one, or a range of them. */
export function sizes(argument: Type): { min: number; max: number } {
  if (argument.kind === 'range') return argument;
  if (argument.kind === 'value') return { min: Number(argument.value), max: Number(argument.value) };
  throw new Error('CDDL: a size is a number or a range');
}
