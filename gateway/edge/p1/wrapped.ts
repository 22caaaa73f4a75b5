import type { LineView } from './line.ts';
import type { RowKind } from './obis.ts';

const LINE_FEED = 0x0a;
const SPACE = 0x20;
const BANG = 0x21;
const OPEN = 0x28;
const CLOSE = 0x29;
const MINUS = 0x2d;
const SLASH = 0x2f;
const ZERO = 0x30;

/** A message of 1024 characters in hex, wrapped at 72, is 29 lines; a list of 13 peaks, one a line, 14. */
const LINES_MAX = 32;

/**
 * What may run over several lines: messages and lists. A number may not. Where there is no CRC, a line end in the
 * middle of a number is damage, and to mend it would be to guess.
 */
const WRAPPED: ReadonlySet<RowKind> = new Set<RowKind>(['message', 'messageCode', 'failures', 'peakHistory']);

export interface Unwrapped {
  readonly line: Buffer;
  /** The line feed of the last line that was taken. */
  readonly feed: number;
}

/**
 * The line `bytes[from, end)` together with those behind it that belong to it: up to the closing bracket of a
 * message, or as long as lines of nothing but groups follow a list. Null where it stands for itself.
 */
export function unwrapped(bytes: Buffer, from: number, end: number, view: LineView): Unwrapped | null {
  view.read(bytes, from, end);
  if (view.row === undefined || !WRAPPED.has(view.row.kind)) return null;
  const parts = [bytes.subarray(from, end)];
  let feed = bytes.indexOf(LINE_FEED, end);
  let closed = bytes[end - 1] === CLOSE;
  while (feed >= 0 && parts.length < LINES_MAX) {
    const next = trimmed(bytes, feed + 1);
    if (closed ? bytes[next.from] !== OPEN : beginsAnother(bytes, next.from, next.to)) break;
    parts.push(bytes.subarray(next.from, next.to));
    closed = bytes[next.to - 1] === CLOSE;
    feed = next.feed;
    if (feed >= bytes.length) break;
  }
  return closed && parts.length > 1 ? { line: Buffer.concat(parts), feed } : null;
}

function trimmed(bytes: Buffer, start: number): { from: number; to: number; feed: number } {
  const found = bytes.indexOf(LINE_FEED, start);
  const feed = found < 0 ? bytes.length : found;
  let from = start;
  let to = feed;
  while (from < to && bytes[from]! <= SPACE) from += 1;
  while (to > from && bytes[to - 1]! <= SPACE) to -= 1;
  return { from, to, feed };
}

/** Whether a line is empty, the last one, a first one, or begins like a code: `0-`, `1-`. */
function beginsAnother(bytes: Buffer, from: number, to: number): boolean {
  const byte = bytes[from];
  if (from === to || byte === BANG || byte === SLASH) return true;
  const digit = byte! - ZERO;
  return digit >= 0 && digit <= 9 && bytes[from + 1] === MINUS;
}
