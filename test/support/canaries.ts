import { type Random, randomInteger, seededRandom } from '../../gateway/runtime/random.ts';
import type { TenantId } from '../../protocol/identity.ts';

/** A meter whose every number is chosen to be recognised wherever it turns up. */
export interface CanaryMeter {
  readonly name: string;
  readonly owner: TenantId;
  readonly ean: string;
  readonly serial: string;
  /** The index that closes the day. */
  readonly closing: number;
  /** What the quarter-hours add to it, over and over: four numbers that hardly anything else has in a row. */
  readonly curve: readonly number[];
  /** Whether it speaks P1, whose registers have nine digits; others have numbers that CBOR takes eight bytes for. */
  readonly p1: boolean;
}

/** Something that must be nowhere: what to call it in a report, and itself; several numbers are a row of them. */
export interface Canary {
  readonly name: string;
  readonly secret: string | number | readonly number[];
}

/** Quarter-hours of an hour. */
const CURVE_LENGTH = 4;

/** A meter for each owner named, the first of them on a P1 port. */
export function canaryMeters(seed: number, owners: readonly TenantId[]): CanaryMeter[] {
  const random = seededRandom(seed, 'canaries');
  return owners.map((owner, at) => {
    const p1 = at === 0;
    return {
      name: owners.indexOf(owner) === at ? owner : `${owner}-${at}`,
      owner,
      p1,
      ean: `5414${digits(random, 14)}`,
      serial: `1SAG${digits(random, 10)}`,
      closing: p1
        ? randomInteger(random, 500_000_000, 999_999_999)
        : randomInteger(random, 5e15, Number.MAX_SAFE_INTEGER),
      curve: Array.from({ length: CURVE_LENGTH }, () => randomInteger(random, 1_000, 9_999)),
    };
  });
}

export function canariesOf(meters: readonly CanaryMeter[]): Canary[] {
  return meters.flatMap(({ name, ean, serial, closing, curve }) => [
    { name: `${name}.ean`, secret: ean },
    { name: `${name}.serial`, secret: serial },
    { name: `${name}.index`, secret: closing },
    { name: `${name}.curve`, secret: curve },
  ]);
}

function digits(random: Random, length: number): string {
  return Array.from({ length }, () => randomInteger(random, 0, 9)).join('');
}

/** A canary in one of the forms in which it could have been kept. */
export interface Needle {
  readonly canary: string;
  readonly form: string;
  readonly bytes: Buffer;
}

/** Every canary in every form: text raw, UTF-16, hex and base64; numbers also as CBOR and as the machine has them. */
export function needlesOf(canaries: readonly Canary[]): Needle[] {
  return canaries.flatMap(({ name, secret }) =>
    formsOf(secret).map(([form, bytes]) => ({ canary: name, form, bytes })),
  );
}

type Form = readonly [name: string, bytes: Buffer];

function formsOf(secret: Canary['secret']): Form[] {
  if (typeof secret === 'string') return textForms(secret, '');
  return typeof secret === 'number' ? numberForms(secret) : rowForms(secret);
}

function textForms(text: string, prefix: string): Form[] {
  const ascii = Buffer.from(text, 'latin1');
  return [...byteForms(ascii, `${prefix}ascii`), [`${prefix}utf-16`, Buffer.from(text, 'utf16le')]];
}

/** Bytes as they are, in hex of both cases, and in base64 at each of the three places where they may begin in it. */
function byteForms(bytes: Buffer, name: string): Form[] {
  const hex = bytes.toString('hex');
  const forms: Form[] = [
    [name, bytes],
    [`${name} in hex`, Buffer.from(hex)],
    [`${name} in upper-case hex`, Buffer.from(hex.toUpperCase())],
  ];
  for (const before of [0, 1, 2]) {
    const base64 = base64Core(bytes, before);
    forms.push([`${name} in base64 +${before}`, Buffer.from(base64)]);
    const url = base64.replaceAll('+', '-').replaceAll('/', '_');
    if (url !== base64) forms.push([`${name} in base64url +${before}`, Buffer.from(url)]);
  }
  return forms;
}

/** The characters of base64 that these bytes alone decide, where `before` bytes precede them in a group of three. */
function base64Core(bytes: Buffer, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const first = Math.ceil((before * 8) / 6);
  const last = Math.floor(((before + bytes.length) * 8) / 6);
  return text.slice(first, last);
}

const UINT16_MAX = 0xffff;
const UINT32_MAX = 0xffff_ffff;

function numberForms(value: number): Form[] {
  const text = String(value);
  const forms: Form[] = [
    ...textForms(text, 'decimal '),
    // As thousandths: Wh in kWh, litres in m³.
    ...textForms(`${text.slice(0, -3)}.${text.slice(-3)}`, 'thousandths '),
    ...byteForms(cborInteger(value), 'cbor'),
    ...byteForms(double(value, 'BE'), 'double'),
    ...byteForms(withoutZeros(double(value, 'LE')), 'double (little end first)'),
  ];
  // Four bytes of their own are found by chance in an image of a hundred million; eight are not.
  if (value > UINT32_MAX) {
    const integer = Buffer.alloc(8);
    integer.writeBigUInt64LE(BigInt(value));
    forms.push(...byteForms(integer, 'integer (little end first)'));
  }
  return forms;
}

function rowForms(row: readonly number[]): Form[] {
  return [
    ...byteForms(Buffer.concat(row.map(cborInteger)), 'cbor'),
    ...byteForms(
      withoutZeros(Buffer.concat(row.map((value) => double(value, 'LE')))),
      'double (little end first)',
    ),
    ...byteForms(Buffer.from(Int32Array.from(row).buffer), 'integer (little end first)'),
    ...textForms(row.join(','), 'decimal '),
  ];
}

/** Whole numbers begin with zeros where the little end comes first: a pattern must not. */
function withoutZeros(bytes: Buffer): Buffer {
  return bytes.subarray(bytes.findIndex((byte) => byte !== 0));
}

/** RFC 8949 §3.1 with its head, so that also a number of four bytes is a pattern of five. */
function cborInteger(value: number): Buffer {
  const bytes = Buffer.alloc(value > UINT32_MAX ? 9 : value > UINT16_MAX ? 5 : 3);
  if (value > UINT32_MAX) {
    bytes[0] = 0x1b;
    bytes.writeBigUInt64BE(BigInt(value), 1);
  } else if (value > UINT16_MAX) {
    bytes[0] = 0x1a;
    bytes.writeUInt32BE(value, 1);
  } else {
    bytes[0] = 0x19;
    bytes.writeUInt16BE(value, 1);
  }
  return bytes;
}

function double(value: number, end: 'BE' | 'LE'): Buffer {
  const bytes = Buffer.alloc(8);
  if (end === 'BE') bytes.writeDoubleBE(value);
  else bytes.writeDoubleLE(value);
  return bytes;
}
