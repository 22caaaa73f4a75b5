/**
 * From a stream of bytes to frames: one telegram each, from its `/` to its `!` line. It looks at every byte
 * once and decides by nothing but the bytes before it, so blocks of any size give the same frames.
 *
 * Where a telegram begins is the hard part. `/` occurs in messages, a cable that is pulled cuts a telegram in
 * the middle of a line, and an old Iskra prints no `!` line at all. So a telegram begins at the first `/` of a
 * line from which on all of the line looks like a header: three letters or digits, then text without brackets. A
 * message has its closing bracket there, and a cut line does not. A header may hold a `/` of its own (Holley:
 * `/HLY5/D545-METER`), and so may one that was cut before the next: which of them it was, the CRC says (`parse.ts`).
 */

/** Longest frame: a message of 1024 characters in hex, ten failures and 13 peaks make about 5 KiB. */
export const TELEGRAM_BYTES_MAX = 16_384;
/** Longest first line: IEC 62056-21 §6.3.2 allows 22 characters; more were seen, none near this. */
export const HEADER_BYTES_MAX = 96;

const BLOCK_BYTES_MAX = 4096;
const CAPACITY_INITIAL = 2048;
/** A whole frame and one more block: nothing longer is ever held. */
const CAPACITY_MAX = TELEGRAM_BYTES_MAX + BLOCK_BYTES_MAX;

const SLASH = 0x2f;
const BANG = 0x21;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const DELETE = 0x7f;
/** IEC 62056-21 puts it in front of the data; an Iskra of Ireland was seen with it in its first line. */
const START_OF_TEXT = 0x02;
const OPEN = 0x28;
const CLOSE = 0x29;
const NO_TEXT = Uint8Array.of(0xff);
const CRC_DIGITS_MAX = 4;
const HEADER_NAME_LENGTH = 3;

type Where = 'outside' | 'header' | 'body';

export interface FramerSink {
  /**
   * A frame, with its `!` and CRC or, where the next one began first, without. The bytes are the framer's own
   * buffer: read or copy them before returning, and do not feed the framer meanwhile.
   */
  frame(bytes: Buffer): void;
  /** A frame grew beyond TELEGRAM_BYTES_MAX and was dropped; the search for a `/` goes on behind it. */
  overlong(): void;
}

export class Framer {
  /** Bytes outside of frames, line ends and NULs not counted: noise, or the wrong speed. */
  noiseBytes = 0;

  private readonly sink: FramerSink;
  private buffer = Buffer.alloc(CAPACITY_INITIAL);
  private length = 0;
  /** How far it has looked. */
  private scanned = 0;
  private where: Where = 'outside';
  private start = 0;
  private lineStart = 0;
  /** The first and the last `/` of the current line, or -1. */
  private firstSlash = -1;
  private slash = -1;

  constructor(sink: FramerSink) {
    this.sink = sink;
  }

  /** Bytes held for a frame that is not complete; never more than TELEGRAM_BYTES_MAX. */
  get heldBytes(): number {
    return this.length;
  }

  feed(block: Uint8Array): void {
    for (let from = 0; from < block.length; from += BLOCK_BYTES_MAX) {
      const to = Math.min(from + BLOCK_BYTES_MAX, block.length);
      this.reserve(to - from);
      this.buffer.set(from === 0 && to === block.length ? block : block.subarray(from, to), this.length);
      this.length += to - from;
      this.scan();
      this.compact();
    }
  }

  /**
   * The stream has ended, or was silent for so long that nothing more belongs to what is held: hand out what
   * there is. It may still be a telegram, of a meter that prints no `!` line or of a file without a last line end.
   */
  flush(): void {
    const { where, length } = this;
    if (where === 'body') {
      if (this.lineStart < length) this.endLine(length);
      if (this.where === 'body') this.emit(length);
    }
    this.where = 'outside';
    this.length = 0;
    this.scanned = 0;
  }

  /**
   * Something that is no text was taken out of the stream here (an encrypted frame). A byte that no text has is put
   * in its place, so that what goes on behind it cannot be read as one telegram with what was before.
   */
  gap(): void {
    if (this.where !== 'outside') this.feed(NO_TEXT);
  }

  private scan(): void {
    let at = this.scanned;
    while (at < this.length) {
      if (this.where === 'body') at = this.scanBody(at);
      else at = this.scanOutside(at);
    }
    this.scanned = this.length;
  }

  /** Look at a telegram's lines from `at` on, until it ends or the bytes do. */
  private scanBody(from: number): number {
    const { buffer } = this;
    const end = Math.min(this.length, this.start + TELEGRAM_BYTES_MAX);
    for (let at = from; at < end; at += 1) {
      const byte = buffer[at]!;
      if (byte > SLASH) continue;
      if (byte === SLASH) {
        if (this.slash < 0) this.firstSlash = at;
        this.slash = at;
      } else if (byte === LINE_FEED) {
        const { start } = this;
        this.endLine(at);
        if (this.where !== 'body' || this.start !== start) return at + 1;
      }
    }
    if (end - this.start === TELEGRAM_BYTES_MAX) this.drop();
    return end;
  }

  /** Look for the first line of a telegram. */
  private scanOutside(from: number): number {
    const { buffer, length } = this;
    for (let at = from; at < length; at += 1) {
      const byte = buffer[at]!;
      if (this.where === 'outside') {
        if (byte === SLASH) {
          this.where = 'header';
          this.start = at;
        } else if (byte > SPACE) this.noiseBytes += 1;
      } else if (byte === LINE_FEED) {
        const start = firstHeader(buffer, this.start, at);
        if (start >= 0) {
          this.countNoise(this.start, start);
          this.enterBody(start, at);
          return at + 1;
        }
        this.leave(at + 1);
      } else if (at - this.start >= HEADER_BYTES_MAX) this.beginLater(at + 1);
    }
    return length;
  }

  /** What began at `start` is too long for a first line: one may still begin at a later `/` before `end`. */
  private beginLater(end: number): void {
    const next = this.buffer.indexOf(SLASH, this.start + 1);
    if (next < 0 || next >= end) {
      this.leave(end);
      return;
    }
    this.countNoise(this.start, next);
    this.start = next;
  }

  /** The line `[lineStart, end)` of a telegram is complete. */
  private endLine(end: number): void {
    const { buffer, lineStart } = this;
    const slash = this.slash < 0 ? -1 : firstHeader(buffer, this.firstSlash, end);
    const isTrailer = buffer[lineStart] === BANG;
    if (isTrailer) this.emit(trailerEnd(buffer, lineStart, end));
    if (slash >= 0) {
      if (!isTrailer) this.emit(slash);
      this.enterBody(slash, end);
    } else if (isTrailer) this.where = 'outside';
    else {
      this.lineStart = end + 1;
      this.slash = -1;
    }
  }

  private enterBody(start: number, headerEnd: number): void {
    this.where = 'body';
    this.start = start;
    this.lineStart = headerEnd + 1;
    this.slash = -1;
  }

  private emit(end: number): void {
    const frame = this.buffer.subarray(this.start, end);
    this.where = 'outside';
    this.sink.frame(frame);
  }

  private drop(): void {
    this.where = 'outside';
    this.sink.overlong();
  }

  /** What looked like the start of a telegram is none. */
  private leave(end: number): void {
    this.countNoise(this.start, end);
    this.where = 'outside';
  }

  private countNoise(from: number, to: number): void {
    for (let at = from; at < to; at += 1) if (this.buffer[at]! > SPACE) this.noiseBytes += 1;
  }

  private reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.buffer.length) return;
    const grown = Buffer.alloc(Math.min(Math.max(needed, this.buffer.length * 2), CAPACITY_MAX));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }

  /** Forget what is before the current frame. */
  private compact(): void {
    if (this.where === 'outside') {
      this.length = 0;
      this.scanned = 0;
      return;
    }
    const keepFrom = this.start;
    if (keepFrom === 0) return;
    this.buffer.copyWithin(0, keepFrom, this.length);
    this.length -= keepFrom;
    this.scanned -= keepFrom;
    this.start -= keepFrom;
    this.lineStart -= keepFrom;
    if (this.slash >= 0) {
      this.slash -= keepFrom;
      this.firstSlash -= keepFrom;
    }
  }
}

/** The first `/` in `buffer[from, end)` that a first line can begin with, or -1. */
function firstHeader(buffer: Buffer, from: number, end: number): number {
  for (let at = buffer.indexOf(SLASH, from); at >= 0 && at < end; at = buffer.indexOf(SLASH, at + 1))
    if (isHeader(buffer, at, end)) return at;
  return -1;
}

/** Whether `buffer[start, end)`, which begins with `/`, can be the first line of a telegram. */
function isHeader(buffer: Buffer, start: number, end: number): boolean {
  const to = buffer[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
  const length = to - start - 1;
  if (length < HEADER_NAME_LENGTH || to - start > HEADER_BYTES_MAX) return false;
  for (let at = start + 1; at < to; at += 1) {
    const byte = buffer[at]!;
    if (!isHeaderByte(byte)) return false;
    if (at <= start + HEADER_NAME_LENGTH && !isLetterOrDigit(byte)) return false;
  }
  return true;
}

/** Whether a telegram may begin with the `/` at `start`, as far as the bytes up to `end` tell. */
export function couldBeHeader(bytes: Buffer, start: number, end: number): boolean {
  const lineFeed = bytes.indexOf(LINE_FEED, start);
  if (lineFeed >= 0 && lineFeed < end) return isHeader(bytes, start, lineFeed);
  const longEnough = Math.min(end, start + 1 + HEADER_NAME_LENGTH);
  for (let at = start + 1; at < longEnough; at += 1) if (!isLetterOrDigit(bytes[at]!)) return false;
  if (end - start > HEADER_BYTES_MAX) return false;
  for (let at = start + 1; at < end; at += 1) {
    const byte = bytes[at]!;
    const isLast = at === end - 1;
    if (!isHeaderByte(byte) && !(isLast && byte === CARRIAGE_RETURN)) return false;
  }
  return true;
}

function isHeaderByte(byte: number): boolean {
  if (byte < SPACE) return byte === START_OF_TEXT;
  return byte < DELETE && byte !== OPEN && byte !== CLOSE;
}

function isLetterOrDigit(byte: number): boolean {
  const letter = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (letter >= 0x61 && letter <= 0x7a);
}

/** Where the frame ends that closes with the `!` at `bang`: behind at most four hex digits. */
function trailerEnd(buffer: Buffer, bang: number, lineEnd: number): number {
  let end = bang + 1;
  while (end < lineEnd && end - bang <= CRC_DIGITS_MAX && isHexDigit(buffer[end]!)) end += 1;
  return end;
}

function isHexDigit(byte: number): boolean {
  const letter = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (letter >= 0x61 && letter <= 0x66);
}
