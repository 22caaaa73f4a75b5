import { crc16, crc16WithCarriageReturns } from './crc.ts';
import { emptyDraft, type ReadState, type TelegramDraft } from './draft.ts';
import { HANDLERS } from './handlers.ts';
import { LineView } from './line.ts';
import { takeLegacyValue } from './mbus.ts';
import { ROW_KINDS } from './obis.ts';
import type { P1Fault, P1Outcome } from './telegram.ts';
import { nibble } from './text.ts';
import { unwrapped } from './wrapped.ts';

const SLASH = 0x2f;
const BANG = 0x21;
const OPEN = 0x28;
const CLOSE = 0x29;
const SPACE = 0x20;
const DELETE = 0x7f;
const LINE_FEED = 0x0a;

const CRC_DIGITS_MAX = 4;
/** DSMR 4.0 brought the CRC, together with a version line and a clock line. */
const FIRST_VERSION_WITH_CRC = 40;

const HANDLER_OF_ROW = ROW_KINDS.map((kind) => HANDLERS[kind]);

const view = new LineView();

/**
 * Read one frame: from its `/` to its `!` with what stands behind it, or to where it ends without one.
 *
 * A frame whose CRC is wrong yields nothing, ever: there is no way to the lines of it. Without a CRC (DSMR 2.2
 * and 3, EasyMeter, Iskra) it is read with less trust: what can be seen to be broken spoils the whole.
 */
export function parseTelegram(frame: Uint8Array): P1Outcome {
  const bytes = Buffer.isBuffer(frame)
    ? frame
    : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  if (bytes.length === 0 || bytes[0] !== SLASH) return refused('empty');

  const headerEnd = lineEnd(bytes, 0, bytes.length);
  let start = bytes.lastIndexOf(SLASH, headerEnd);
  let outcome = parseFrom(bytes.subarray(start), headerEnd - start);
  // A first line with several `/`: one that was cut before the next, or a meter whose name holds one.
  while (!outcome.ok && start > 0) {
    start = bytes.lastIndexOf(SLASH, start - 1);
    const other = parseFrom(bytes.subarray(start), headerEnd - start);
    if (other.ok && other.telegram.crc === 'valid') outcome = other;
  }
  return outcome;
}

/** Read a frame from the `/` that it begins with. */
function parseFrom(bytes: Buffer, headerEnd: number): P1Outcome {
  const length = bytes.length;
  const draft = emptyDraft(bytes.toString('latin1', 1, trimmedEnd(bytes, 1, headerEnd)));
  const state: ReadState = { draft, pending: null, serialRank: 0, repeated: false };
  let lines = 0;
  let broken = false;
  let bang = -1;
  for (let start = headerEnd + 1; start < length; ) {
    if (bytes[start] === BANG) {
      bang = start;
      break;
    }
    let feed = lineEnd(bytes, start, length);
    let from = trimmedStart(bytes, start, feed);
    let end = trimmedEnd(bytes, from, feed);
    if (end > from) {
      let source = bytes;
      if (bytes[feed + 1] === OPEN || bytes[end - 1] !== CLOSE) {
        const whole = state.pending === null ? unwrapped(bytes, from, end, view) : null;
        if (whole !== null) {
          feed = whole.feed;
          source = whole.line;
          from = 0;
          end = source.length;
        }
      }
      const understood = takeLine(source, from, end, state);
      if (understood) lines += 1;
      else {
        draft.unknown.push(source.toString('latin1', from, end));
        broken ||= isBroken(source, from, end);
      }
    }
    start = feed + 1;
  }
  broken ||= state.repeated;

  const fault = bang < 0 ? faultOfUnterminated(draft, broken) : checkTrailer(bytes, bang, draft, broken);
  if (fault !== null) return refused(fault);
  if (lines === 0 && !(draft.crc === 'valid' && draft.unknown.some((line) => OBIS_LINE.test(line))))
    return refused('empty');
  return { ok: true, telegram: draft };
}

/** A line that no table knows is kept, not refused: a telegram of nothing else is one if its CRC says so. */
const OBIS_LINE = /^\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}.*\)$/;

/** The same for text in memory, one character a byte. */
export function parseTelegramText(text: string): P1Outcome {
  return parseTelegram(Buffer.from(text, 'latin1'));
}

function refused(fault: P1Fault): P1Outcome {
  return { ok: false, fault };
}

function takeLine(bytes: Buffer, start: number, end: number, state: ReadState): boolean {
  if (state.pending !== null) {
    if (bytes[start] === OPEN && view.readContinuation(bytes, start, end))
      return takeLegacyValue(view, state, 0);
    state.pending = null;
  }
  return view.read(bytes, start, end) && HANDLER_OF_ROW[view.row!.index]!(view, state);
}

/** Where the line that begins at `start` ends: its line feed, or the end of the frame. */
function lineEnd(bytes: Buffer, start: number, length: number): number {
  let at = start;
  while (at < length && bytes[at] !== LINE_FEED) at += 1;
  return at;
}

/** Blanks in front of a line are not part of it, nor is the STX with which IEC 62056-21 begins the data. */
function trimmedStart(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at]! <= SPACE) at += 1;
  return at;
}

/** Line ends, NULs and blanks behind a line are not part of it. */
function trimmedEnd(bytes: Buffer, start: number, end: number): number {
  let at = end;
  while (at > start && bytes[at - 1]! <= SPACE) at -= 1;
  return at;
}

/** `!` and up to four hex digits: lower case and missing leading zeros were seen. */
function checkTrailer(bytes: Buffer, bang: number, draft: TelegramDraft, broken: boolean): P1Fault | null {
  let printed = 0;
  let digits = 0;
  while (digits < CRC_DIGITS_MAX) {
    const value = nibble(bytes[bang + 1 + digits] ?? 0);
    if (value < 0) break;
    printed = (printed << 4) | value;
    digits += 1;
  }
  if (digits === 0) {
    if (isCrcExpected(draft)) return 'crc-missing';
    draft.crc = 'absent';
    return broken ? 'damaged' : null;
  }
  const valid =
    crc16(bytes, 0, bang + 1) === printed || crc16WithCarriageReturns(bytes, 0, bang + 1) === printed;
  return valid ? null : 'crc-invalid';
}

/** A frame without a `!` line: an old Iskra's whole telegram, or one that was cut. */
function faultOfUnterminated(draft: TelegramDraft, broken: boolean): P1Fault | null {
  const hasReading = draft.registers.length > 0 || draft.channels.some(({ readings }) => readings.length > 0);
  if (broken || isCrcExpected(draft) || !hasReading) return 'cut';
  draft.crc = 'absent';
  return null;
}

/** An Iskra of the north prints its clock, no version and no CRC. */
const WITHOUT_CRC = /^ISk9\\2MIE7/;

function isCrcExpected(draft: TelegramDraft): boolean {
  if (WITHOUT_CRC.test(draft.header)) return false;
  if (draft.version !== null) return !(Number(draft.version) < FIRST_VERSION_WITH_CRC);
  return draft.meterTime !== null || draft.clockInvalid;
}

/** Whether a line that was not understood is visibly damaged, not only unknown. */
function isBroken(bytes: Buffer, start: number, end: number): boolean {
  let open = 0;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at]!;
    if (byte === OPEN) open += 1;
    else if (byte === CLOSE) open -= 1;
    else if (byte < SPACE || byte >= DELETE) return true;
  }
  return open !== 0;
}
