import { pkiError } from '../errors.ts';

/**
 * A strict reader and a small writer of DER (X.690), for the few shapes of RFC 5280 that this system issues.
 *
 * Strict because two parsers that disagree about a certificate are how names get smuggled past a check:
 * one-byte tags, definite and shortest lengths, nothing left over.
 */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** `[n]` of a context-specific tag: constructed where it wraps other elements, primitive where it holds bytes. */
export const contextTag = (number: number, form: 'primitive' | 'constructed'): number =>
  (form === 'constructed' ? 0xa0 : 0x80) | number;

/** One element in place: views of its bytes are made where they are asked for, since a long list asks for few. */
export class Element {
  readonly tag: number;
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #contentStart: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start: number, contentStart: number, end: number) {
    this.tag = bytes[start]!;
    this.#bytes = bytes;
    this.#start = start;
    this.#contentStart = contentStart;
    this.#end = end;
  }

  /** Tag, length and content. */
  get whole(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  get content(): Uint8Array {
    return this.#bytes.subarray(this.#contentStart, this.#end);
  }
}

const malformed = (what: string) => pkiError('ERR_TRUST_MALFORMED', `no strict DER: ${what}`);

/** Reads the elements of one constructed value, one after the other. */
export class DerCursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next element, which must carry `tag` where one is named. @throws ERR_TRUST_MALFORMED */
  read(tag?: number): Element {
    const bytes = this.#bytes;
    const start = this.#at;
    if (start + 2 > bytes.length) throw malformed('cut short');
    const found = bytes[start]!;
    if (tag !== undefined && found !== tag) throw malformed(`tag ${found} where ${tag} belongs`);
    if ((found & 0x1f) === 0x1f) throw malformed('a long tag');
    let at = start + 1;
    let length = bytes[at]!;
    at += 1;
    if (length >= 0x80) {
      const octets = length & 0x7f;
      if (octets === 0 || octets > 4 || at + octets > bytes.length) throw malformed('a length');
      length = 0;
      for (let index = 0; index < octets; index += 1) length = length * 256 + bytes[at + index]!;
      at += octets;
      if (length < 0x80 || length < 256 ** (octets - 1)) throw malformed('a length that is not the shortest');
    }
    const end = at + length;
    if (end > bytes.length) throw malformed('cut short');
    this.#at = end;
    return new Element(bytes, start, at, end);
  }

  /** The next element where it carries `tag`, else nothing is read. */
  optional(tag: number): Element | undefined {
    return this.#bytes[this.#at] === tag && !this.done ? this.read(tag) : undefined;
  }

  /** Enter the next element. */
  enter(tag: number): DerCursor {
    return new DerCursor(this.read(tag).content);
  }

  /** @throws ERR_TRUST_MALFORMED where something is left over */
  end(): void {
    if (!this.done) throw malformed('bytes left over');
  }
}

/** A positive INTEGER as lower-case hex without leading zeros; `bytesMax` bounds it (RFC 5280: serials up to 20). */
export function readUnsigned(element: Element, bytesMax: number): string {
  const { content } = element;
  if (content.length === 0 || content.length > bytesMax || content[0]! >= 0x80) throw malformed('an integer');
  if (content.length > 1 && content[0] === 0 && content[1]! < 0x80) throw malformed('a padded integer');
  const hex = Buffer.from(content).toString('hex');
  return content.length > 1 && content[0] === 0 ? hex.slice(2) : hex;
}

export function readBoolean(element: Element): boolean {
  const value = element.content[0];
  if (element.content.length !== 1 || (value !== 0 && value !== 0xff)) throw malformed('a boolean');
  return value === 0xff;
}

/** The bytes of a BIT STRING that is a whole number of octets (keys and signatures are). */
export function readOctetBits(element: Element): Uint8Array {
  if (element.content.length < 1 || element.content[0] !== 0) throw malformed('a bit string');
  return element.content.subarray(1);
}

/** Octets of the two forms, both with seconds and ending in Z. */
const UTC_TIME_BYTES = 13;
const GENERALIZED_TIME_BYTES = 15;
const Z = 0x5a;

/** RFC 5280 §4.1.2.5: UTCTime means 1950 to 2049; both are in UTC and carry seconds. */
export function readTimeMs({ tag, content }: Element): number {
  const isShort = tag === TAG.utcTime;
  const bytes = isShort ? UTC_TIME_BYTES : GENERALIZED_TIME_BYTES;
  if ((!isShort && tag !== TAG.generalizedTime) || content.length !== bytes || content[bytes - 1] !== Z)
    throw malformed('a time');
  // From behind, where both forms are alike: …MMDDhhmmssZ.
  const month = twoDigits(content, bytes - 11);
  const day = twoDigits(content, bytes - 9);
  const hour = twoDigits(content, bytes - 7);
  const minute = twoDigits(content, bytes - 5);
  const second = twoDigits(content, bytes - 3);
  const year = twoDigits(content, bytes - 13);
  const full = isShort ? year + (year < 50 ? 2000 : 1900) : twoDigits(content, 0) * 100 + year;
  const timeMs = Date.UTC(full, month - 1, day, hour, minute, second);
  const back = new Date(timeMs);
  if (
    back.getUTCMonth() !== month - 1 ||
    back.getUTCDate() !== day ||
    hour > 23 ||
    minute > 59 ||
    second > 59
  )
    throw malformed('a time');
  return timeMs;
}

function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - 0x30;
  const ones = bytes[at + 1]! - 0x30;
  if (!(tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9)) throw malformed('a time');
  return tens * 10 + ones;
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) octets.unshift(left & 0xff);
  return [0x80 | octets.length, ...octets];
}

/** One element around its parts. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  return derAll(tag, parts);
}

/** As `der`, for any number of parts: a revocation list has more entries than a call may have arguments. */
function derAll(tag: number, parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  const header = [tag, ...lengthOctets(length)];
  const out = Buffer.allocUnsafe(header.length + length);
  out.set(header, 0);
  let at = header.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const ONE_BYTE = { false: Uint8Array.of(0), true: Uint8Array.of(0xff) } as const;

export const derTrue = der(TAG.boolean, ONE_BYTE.true);

/** A positive INTEGER of these big-endian bytes. */
export function derUnsigned(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const shortest = bytes.subarray(start);
  return shortest[0]! >= 0x80 ? der(TAG.integer, ONE_BYTE.false, shortest) : der(TAG.integer, shortest);
}

export const derBits = (bytes: Uint8Array): Buffer => der(TAG.bitString, ONE_BYTE.false, bytes);

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on. */
export function derTime(timeMs: number): Buffer {
  return new Date(timeMs).getUTCFullYear() < 2050
    ? der(TAG.utcTime, Buffer.from(timeDigits(timeMs).slice(2), 'latin1'))
    : derGeneralizedTime(timeMs);
}

/** Where a structure has no other form of it, in whole seconds and GMT: RFC 5280 §5.3.2. */
export const derGeneralizedTime = (timeMs: number): Buffer =>
  der(TAG.generalizedTime, Buffer.from(timeDigits(timeMs), 'latin1'));

const timeDigits = (timeMs: number): string =>
  `${new Date(timeMs).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;

/** An object identifier from its dotted form; arcs may exceed 53 bits (X.667 puts a UUID into one arc). */
export function derOid(dotted: string): Buffer {
  const arcs = dotted.split('.').map(BigInt);
  const [first = 0n, second = 0n, ...rest] = arcs;
  const bytes: number[] = [];
  for (const arc of [first * 40n + second, ...rest]) {
    const septets = [Number(arc & 0x7fn)];
    for (let left = arc >> 7n; left > 0n; left >>= 7n) septets.unshift(Number(left & 0x7fn) | 0x80);
    bytes.push(...septets);
  }
  return der(TAG.oid, Uint8Array.from(bytes));
}

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && Buffer.compare(left, right) === 0;
}
