import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CborValue, decodeCbor, encodeCbor, wireInteger } from '../cbor/codec.ts';
import { isHesError } from '../errors.ts';
import type { DeviceId, TenantId } from '../identity.ts';
import { COMMAND_BOUNDS, COMMAND_BYTES_MAX, COUNTER_MAX } from '../limits.ts';
import { parseObisCode } from '../obis.ts';
import { SAMPLE_SECONDS, sampleCommand } from '../testing/command-samples.ts';
import { type Command, controlCodeOf, decodeCommand, encodeCommand, validityAt } from './command.ts';
import { commandIdOf, isCommandId } from './id.ts';
import { COMMAND_TYPES, rowOf } from './table.ts';

const SEED = 20_261_202;

function refusal(step: () => unknown): string {
  try {
    step();
    return 'none';
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.context['field'] === undefined ? error.code : `${error.code} ${error.context['field']}`;
  }
}

/** A command as generic CBOR, one part changed, in the form that cbor-x writes. */
function rebuilt(
  change: (members: Map<number, CborValue>) => void,
  command = sampleCommand('p1.set'),
): Uint8Array {
  const members = decodeCbor(encodeCommand(command), COMMAND_BOUNDS) as Map<number, CborValue>;
  change(members);
  const sorted = [...members].sort(([left], [right]) => left - right);
  const wire = sorted.map(
    ([key, value]) => [key, typeof value === 'number' ? wireInteger(value) : value] as const,
  );
  return encodeCbor(new Map(wire), COMMAND_BOUNDS);
}
const decoding = (bytes: Uint8Array): string => refusal(() => decodeCommand(bytes));
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

describe('bytes that are no command', () => {
  const whole = encodeCommand(sampleCommand('p1.set'));
  const cases: readonly (readonly [string, Uint8Array, string])[] = [
    ['nothing', new Uint8Array(0), 'ERR_COMMAND_CBOR'],
    ['too many', new Uint8Array(COMMAND_BYTES_MAX + 1), 'ERR_COMMAND_SIZE'],
    ['some behind it', Buffer.concat([whole, Uint8Array.of(0)]), 'ERR_COMMAND_CBOR'],
    ['another version', rebuilt((members) => members.set(1, 2)), 'ERR_COMMAND_VERSION'],
    ['another type', rebuilt((members) => members.set(5, 16)), 'ERR_COMMAND_TYPE'],
    ['arguments of another type', rebuilt((members) => members.set(5, 13)), 'ERR_COMMAND_SCHEMA arguments'],
    ['no arguments', rebuilt((members) => members.delete(6)), 'ERR_COMMAND_SCHEMA'],
    ['a member more', rebuilt((members) => members.set(11, 0)), 'ERR_COMMAND_SCHEMA reason'],
    ['two members more', rebuilt((members) => members.set(10, 'why').set(11, 0)), 'ERR_COMMAND_SCHEMA'],
    ['a short id', rebuilt((members) => members.set(4, new Uint8Array(15))), 'ERR_COMMAND_SCHEMA id'],
    ['an empty reason', rebuilt((members) => members.set(10, '')), 'ERR_COMMAND_SCHEMA reason'],
    ['a counter of 0', rebuilt((members) => members.set(7, 0)), 'ERR_COMMAND_SCHEMA counter'],
    ['a text for a time', rebuilt((members) => members.set(8, 'now')), 'ERR_COMMAND_SCHEMA notBefore'],
    [
      'an argument out of range',
      rebuilt((members) => members.set(6, new Map([[1, 2]]))),
      'ERR_COMMAND_SCHEMA arguments.on',
    ],
    [
      'an expiry with its beginning',
      rebuilt((members) => members.set(9, members.get(8)!)),
      'ERR_COMMAND_RULE',
    ],
    // The first key again; the head of the map says ten members.
    ['a key twice', Buffer.concat([hex('aa 01 01'), whole.subarray(1)]), 'ERR_COMMAND_SCHEMA tenant'],
    ['a long head', Buffer.concat([hex('a9 01 1801'), whole.subarray(3)]), 'ERR_COMMAND_CBOR version'],
    ['an indefinite map', Buffer.concat([hex('bf'), whole.subarray(1), hex('ff')]), 'ERR_COMMAND_CBOR'],
    ['a float', Buffer.concat([hex('a9 01 f93c00'), whole.subarray(3)]), 'ERR_COMMAND_SCHEMA version'],
  ];
  it.each(cases)('are refused: %s', (_, bytes, code) => {
    expect(decoding(bytes)).toBe(code);
  });

  it('are refused cut short, wherever, whatever the command', () => {
    for (const type of COMMAND_TYPES) {
      const bytes = encodeCommand(sampleCommand(type));
      for (let length = 0; length < bytes.length; length += 1)
        expect(decoding(bytes.subarray(0, length)), `${type} ${length}`).toMatch(/^ERR_COMMAND_CBOR/);
    }
  });

  it('are met with an error of ours, whatever they are', () => {
    const anyBytes = fc.uint8Array({ maxLength: 120 });
    const edited = fc
      .tuple(fc.constantFrom(...COMMAND_TYPES), fc.nat(), fc.integer({ min: 1, max: 255 }))
      .map(([type, at, mask]) => {
        const bytes = Buffer.from(encodeCommand(sampleCommand(type)));
        bytes[at % bytes.length]! ^= mask;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(anyBytes, edited), (bytes) => {
        let command: Command;
        try {
          command = decodeCommand(bytes);
        } catch (error) {
          expect(isHesError(error) && error.code).toMatch(/^ERR_COMMAND_/);
          return;
        }
        // What is taken has one encoding.
        expect(Buffer.from(encodeCommand(command))).toEqual(Buffer.from(bytes));
      }),
      { seed: SEED, numRuns: 4_000 },
    );
  });
});

describe('a command that nobody should sign', () => {
  const encoding = (command: Command): string => refusal(() => encodeCommand(command));

  it('is refused without a reason where it is critical, and with one that can deceive', () => {
    for (const type of COMMAND_TYPES)
      expect(encoding(sampleCommand(type, { reason: null })), type).toBe(
        rowOf(type).critical ? 'ERR_COMMAND_RULE' : 'none',
      );
    for (const reason of ['', 'x'.repeat(121), 'line\nline', '\u202eabc'])
      expect(encoding(sampleCommand('p1.set', { reason }))).toBe('ERR_COMMAND_SCHEMA reason');
  });

  it('is refused where it is valid for longer than its row allows, or for no time', () => {
    for (const type of COMMAND_TYPES) {
      const expiry = SAMPLE_SECONDS + rowOf(type).expirySecondsMax;
      expect(encoding(sampleCommand(type, { expiry })), type).toBe('none');
      expect(encoding(sampleCommand(type, { expiry: expiry + 1 })), type).toBe('ERR_COMMAND_RULE');
      expect(encoding(sampleCommand(type, { expiry: SAMPLE_SECONDS })), type).toBe('ERR_COMMAND_RULE');
    }
  });

  it('is refused with a member out of its range, by its name', () => {
    const wrong: readonly (readonly [Partial<Command>, string])[] = [
      [{ counter: COUNTER_MAX + 1 }, 'counter'],
      [{ counter: 1.5 }, 'counter'],
      [{ device: '42' as DeviceId }, 'device'],
      [{ tenant: '' as TenantId }, 'tenant'],
      [{ id: 'first' as Command['id'] }, 'id'],
      [{ notBefore: -1 }, 'notBefore'],
      [{ version: 2 as 1 }, 'version'],
    ];
    for (const [change, field] of wrong)
      expect(encoding(sampleCommand('p1.set', change))).toBe(`ERR_COMMAND_SCHEMA ${field}`);
    expect(encoding(sampleCommand('p1.set', { type: 'toString' } as unknown as Command))).toBe(
      'ERR_COMMAND_TYPE',
    );
  });
});

describe('a command', () => {
  it.each(COMMAND_TYPES)('comes back as it was: %s', (type) => {
    for (const reason of ['réf. n° 12/2026', ...(rowOf(type).critical ? [] : [null])]) {
      const command = sampleCommand(type, { reason });
      expect(decodeCommand(encodeCommand(command))).toEqual(command);
    }
  });

  it('stays within its limit with the most that it can say', () => {
    const reason = '€'.repeat(120);
    const text = '€'.repeat(320);
    const until = 253_402_300_799;
    const codes = Array.from({ length: 64 }, (_, index) => parseObisCode(`1-0:${index + 1}.8.0`));
    const days = Array.from({ length: 16 }, (_, index) => ({
      days: 255,
      startMinute: 1_000 + index,
      endMinute: 1_001 + index,
      rate: 1,
    }));
    const tenant = 'a'.repeat(32) as TenantId;
    for (const command of [
      sampleCommand('display.message', { arguments: { text, until } }),
      sampleCommand('read.now', { arguments: { registers: codes } }),
      sampleCommand('tariff.set', { arguments: { plan: 'bi', windows: days, from: '9999-12-31' } }),
    ]) {
      const full = { ...command, reason, tenant, counter: COUNTER_MAX };
      const bytes = encodeCommand(full);
      expect(bytes.length).toBeLessThan(COMMAND_BYTES_MAX);
      expect(decodeCommand(bytes)).toEqual(full);
    }
  });

  it('holds from its beginning up to its end, which no longer counts', () => {
    const window = { notBefore: 100, expiry: 200 };
    expect([99, 100, 199, 200].map((seconds) => validityAt(window, seconds))).toEqual([
      'early',
      'valid',
      'valid',
      'expired',
    ]);
  });

  it('has a control code of the standard where that has one', () => {
    expect(controlCodeOf(sampleCommand('breaker.open'))).toBe('0.31.0.23');
    expect(controlCodeOf(sampleCommand('limiter.set', { arguments: { powerW: null } }))).toBe('0.31.139.22');
    expect(controlCodeOf(sampleCommand('airplane.on'))).toBeNull();
  });

  it('has 128 random bits for a name', () => {
    expect(commandIdOf(new Uint8Array(16).fill(0xab))).toBe('ab'.repeat(16));
    expect(() => commandIdOf(new Uint8Array(15))).toThrow(RangeError);
    expect(['', 'AB'.repeat(16), 'ab'.repeat(15), 7].some(isCommandId)).toBe(false);
  });
});
