import fc from 'fast-check';
import { type CborValue, encodeCbor, wireInteger } from '../../cbor/codec.ts';
import type { Entry, Rules, Type } from './parse.ts';
import { sizes } from './validate.ts';

/** Messages drawn from a rule: what CDDL allows, the code must take. Test support. */

const BOUNDS = { bytesMax: 65_536, depthMax: 16, itemsMax: 20_000 };

/** What is drawn where a rule sets no bound of its own. */
const UNBOUNDED_MAX = 4;

export function arbitraryMessage(rules: Rules, name: string): fc.Arbitrary<Uint8Array> {
  const type = rules.get(name)!;
  if (type.kind !== 'tag') return arbitrary(rules, type).map((value) => encodeCbor(value, BOUNDS));
  const head = type.tag < 24 ? Uint8Array.of(0xc0 | type.tag) : Uint8Array.of(0xd8, type.tag);
  return arbitrary(rules, type.content).map((value) => Buffer.concat([head, encodeCbor(value, BOUNDS)]));
}

const integers = (min: number, max: number): fc.Arbitrary<number | bigint> =>
  fc.oneof(
    fc.constantFrom(min, max).map(wireInteger),
    fc.bigInt({ min: BigInt(min), max: BigInt(max) }).map((value) => wireInteger(Number(value))),
  );

const PRELUDE: Readonly<Record<string, fc.Arbitrary<CborValue>>> = {
  int: integers(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  uint: integers(0, Number.MAX_SAFE_INTEGER),
  tstr: fc.string(),
  bstr: fc.uint8Array({ maxLength: 64 }),
  nil: fc.constant(null),
};

function arbitrary(rules: Rules, type: Type): fc.Arbitrary<CborValue> {
  switch (type.kind) {
    case 'name': {
      const rule = rules.get(type.name);
      return rule === undefined ? PRELUDE[type.name]! : arbitrary(rules, rule);
    }
    case 'choice':
      return fc.oneof(...type.options.map((option) => arbitrary(rules, option)));
    case 'value':
      return fc.constant(type.value);
    case 'range':
      return integers(type.min, type.max);
    case 'array':
      return fc.tuple(...type.entries.map((entry) => repeated(rules, entry))).map((parts) => parts.flat());
    case 'map':
      return arbitraryMap(rules, type.entries);
    case 'group':
      throw new Error('CDDL: a group outside of a map');
    case 'tag':
      throw new Error('CDDL: a tag inside a message');
    case 'control':
      return arbitraryControl(rules, type);
  }
}

/** Few as a rule, and now and then as many as the rule allows. */
function repeated(rules: Rules, { min, max, type }: Entry): fc.Arbitrary<CborValue[]> {
  const member = arbitrary(rules, type);
  const most = Number.isFinite(max) ? max : min + UNBOUNDED_MAX;
  return fc.oneof(
    { weight: 6, arbitrary: fc.array(member, { minLength: min, maxLength: most, size: '-1' }) },
    { weight: 1, arbitrary: fc.array(member, { minLength: most, maxLength: most, size: 'max' }) },
  );
}

function arbitraryMap(rules: Rules, entries: readonly Entry[]): fc.Arbitrary<CborValue> {
  const members = entries.map(({ min, key, type }) => {
    const member = arbitrary(rules, type).map((value) => [[key!, value] as const]);
    return min === 0 ? fc.oneof(member, fc.constant([])) : member;
  });
  // Rising keys, negative ones last: the order of deterministic encoding.
  const rank = (key: number): number => (key < 0 ? 2 ** 32 - key : key);
  return fc
    .tuple(...members)
    .map((parts) => new Map(parts.flat().sort(([left], [right]) => rank(left) - rank(right))));
}

function arbitraryControl(
  rules: Rules,
  { control, argument, target }: Extract<Type, { kind: 'control' }>,
): fc.Arbitrary<CborValue> {
  if (control === 'cbor') return arbitrary(rules, argument).map((value) => encodeCbor(value, BOUNDS));
  if (control === 'regexp' && argument.kind === 'value')
    return fc.stringMatching(new RegExp(`^(?:${argument.value})$`), { size: 'max' });
  const { min, max } = sizes(argument);
  const bytes = fc.uint8Array({ minLength: min, maxLength: max });
  const largest = fc.uint8Array({ minLength: max, maxLength: max, size: 'max' });
  if (target.kind !== 'name' || target.name !== 'bstr')
    throw new Error('CDDL: .size is of byte strings here');
  return fc.oneof({ weight: 6, arbitrary: bytes }, { weight: 1, arbitrary: largest });
}
