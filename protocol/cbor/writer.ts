import { CborError } from './error.ts';

const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const TAG = 6;
const NULL = 0xf6;

/** The longest head: an initial byte and 64 bits. */
const HEAD_BYTES_MAX = 9;

/** Buffer's own `fill` looks at encodings first. */
const { fill: zero } = Uint8Array.prototype;

/**
 * Writes deterministic CBOR (RFC 8949 §4.2.1) into one buffer of a fixed size that is used again and again: a
 * message is a few dozen items, and an allocation for each of them costs more than the item.
 *
 * Not for two messages at once: `write` fills and copies in one synchronous step.
 */
export class CborWriter {
  readonly #buffer: Buffer;
  readonly #capacity: number;
  #at = 0;

  constructor(bytesMax: number) {
    this.#buffer = Buffer.alloc(bytesMax + HEAD_BYTES_MAX);
    this.#capacity = bytesMax;
  }

  /**
   * What `fill` wrote, as bytes of their own. Nothing of it stays here: the buffer lives as long as the process, and
   * a reading must not.
   * @throws ERR_CBOR_BOUNDS where it is more than the writer takes
   */
  write(fill: (writer: this) => void): Buffer {
    this.#at = 0;
    try {
      fill(this);
      const bytes = Buffer.allocUnsafe(this.#at);
      this.#buffer.copy(bytes, 0, 0, this.#at);
      return bytes;
    } finally {
      zero.call(this.#buffer, 0, 0, this.#at);
    }
  }

  #room(length: number): void {
    if (this.#at + length > this.#capacity)
      throw new CborError('ERR_CBOR_BOUNDS', `larger than ${this.#capacity} bytes`);
  }

  #head(major: number, argument: number): void {
    this.#room(1);
    const buffer = this.#buffer;
    const first = major << 5;
    if (argument < 24) buffer[this.#at++] = first | argument;
    else if (argument < 0x100) {
      buffer[this.#at++] = first | 24;
      buffer[this.#at++] = argument;
    } else if (argument < 0x10000) {
      buffer[this.#at++] = first | 25;
      this.#at = buffer.writeUInt16BE(argument, this.#at);
    } else if (argument <= 0xffffffff) {
      buffer[this.#at++] = first | 26;
      this.#at = buffer.writeUInt32BE(argument, this.#at);
    } else {
      buffer[this.#at++] = first | 27;
      this.#at = buffer.writeUInt32BE(Math.floor(argument / 0x100000000), this.#at);
      this.#at = buffer.writeUInt32BE(argument % 0x100000000, this.#at);
    }
  }

  /** A safe integer; the callers' schemas see to that. */
  integer(value: number): void {
    if (value >= 0) this.#head(UNSIGNED, value);
    else this.#head(NEGATIVE, -1 - value);
  }

  null(): void {
    this.#room(1);
    this.#buffer[this.#at++] = NULL;
  }

  bytes(bytes: Uint8Array): void {
    this.#head(BYTES, bytes.length);
    this.raw(bytes);
  }

  /** Bytes that are CBOR already. */
  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** ASCII, by which the number of characters is the number of bytes. */
  text(text: string): void {
    this.#head(TEXT, text.length);
    this.#latin1(text);
  }

  /** Any well-formed text. */
  utf8(text: string): void {
    const length = Buffer.byteLength(text, 'utf8');
    this.#head(TEXT, length);
    this.#room(length);
    this.#at += this.#buffer.write(text, this.#at, 'utf8');
  }

  /** ASCII as a byte string. */
  textAsBytes(text: string): void {
    this.#head(BYTES, text.length);
    this.#latin1(text);
  }

  /** An even number of hex digits as the byte string that they spell. */
  hexAsBytes(hex: string): void {
    this.#head(BYTES, hex.length / 2);
    this.#room(hex.length / 2);
    this.#at += this.#buffer.write(hex, this.#at, 'hex');
  }

  #latin1(text: string): void {
    this.#room(text.length);
    this.#at += this.#buffer.write(text, this.#at, 'latin1');
  }

  tag(tag: number): void {
    this.#head(TAG, tag);
  }

  array(count: number): void {
    this.#head(ARRAY, count);
  }

  map(count: number): void {
    this.#head(MAP, count);
  }
}
