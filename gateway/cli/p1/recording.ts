/**
 * What lies between a port and a file: editors, terminals and loggers change bytes. A recording that PowerShell wrote
 * as UTF-16, one with line ends of CR alone, a dump in hex, and a telegram as source code and logs write it (`\r\n`
 * for a line end) are turned back into what the port sent. Anything else passes as it is, above all what a port sends,
 * which is none of these.
 */

/** So many bytes of a recording tell what it is: a first line and a bit. */
const HEAD_BYTES_MAX = 256;
/** A dump shows itself by so many hex digits at its beginning. */
const HEX_DIGITS_MIN = 16;

const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

type Step = (block: Uint8Array, isLast: boolean) => Uint8Array;

export class Recording {
  #head: Buffer = Buffer.alloc(0);
  #step: Step | null = null;

  /** The bytes as the port sent them; empty while too few are there to tell what they are. */
  feed(block: Uint8Array): Uint8Array {
    if (this.#step !== null) return this.#step(block, false);
    this.#head = Buffer.concat([this.#head, block]);
    const step = stepOf(this.#head, false);
    return step === null ? Buffer.alloc(0) : this.#begin(step, false);
  }

  /** What was held back, at the end of the recording. */
  end(): Uint8Array {
    if (this.#step !== null) return this.#step(Buffer.alloc(0), true);
    return this.#begin(stepOf(this.#head, true) ?? asItIs, true);
  }

  #begin(step: Step, isLast: boolean): Uint8Array {
    this.#step = step;
    return step(this.#head, isLast);
  }
}

const asItIs: Step = (block) => block;

/** What to do with a recording that begins so; null while that cannot be told. */
function stepOf(head: Buffer, isAll: boolean): Step | null {
  if (head.length < 2) return isAll ? asItIs : null;
  if (head[0] === 0xff && head[1] === 0xfe) return fromUtf16('utf-16le');
  if (head[0] === 0xfe && head[1] === 0xff) return fromUtf16('utf-16be');
  const isWhole = isAll || head.length >= HEAD_BYTES_MAX;
  const text = head.toString('latin1');
  if (HEX_ALONE.test(text)) {
    const digits = text.replaceAll(HEX_JOINTS, '');
    if (!isWhole && digits.length < HEX_DIGITS_MIN) return null;
    return digits.length >= HEX_DIGITS_MIN && HEX_BEGINNINGS.test(digits) ? fromHex() : asItIs;
  }
  const beginning = text.slice(0, HEAD_BYTES_MAX);
  if (LINE_END_WRITTEN.test(beginning)) return fromWritten();
  if (text.includes('\n')) return asItIs;
  if (BARE_CR_AFTER_HEADER.test(beginning)) return withLineFeeds();
  return isWhole || !TELEGRAM_BEGINS.test(text) ? asItIs : null;
}

/** Nothing but hex digits and what people put between pairs of them. */
const HEX_ALONE = /^[0-9A-Fa-f\s,:]*$/;
const HEX_JOINTS = /[\s,:]/g;
/** An encrypted frame, a plain telegram, a frame of HDLC, one of M-Bus: what is worth a dump. */
const HEX_BEGINNINGS = /^(?:DB08|2F|7EA|68)/i;
/** A first line, and behind it a CR that no LF follows. */
const BARE_CR_AFTER_HEADER = /\/[0-9A-Za-z]{3}[^\r\n()]*\r+[^\r\n]/;

/** On one line: a first line, `\n` in two characters behind it, and something in brackets with another. */
const LINE_END_WRITTEN = /^[^\r\n]*\/[0-9A-Za-z]{3}[^\r\n()]*\\n[^\r\n]*\([^\r\n()]*\)(?:\\r)?\\n/;
const TELEGRAM_BEGINS = /^[ "'`]*\//;

function fromUtf16(encoding: 'utf-16le' | 'utf-16be'): Step {
  const decoder = new TextDecoder(encoding);
  return (block) => Buffer.from(decoder.decode(block, { stream: true }), 'latin1');
}

/** Hex until something else comes: from there on it was no dump, and passes as it is. */
function fromHex(): Step {
  let rest = '';
  let isHex = true;
  return (block) => {
    if (!isHex) return block;
    const text = Buffer.from(block.buffer, block.byteOffset, block.byteLength).toString('latin1');
    isHex = HEX_ALONE.test(text);
    if (!isHex) return block;
    const digits = rest + text.replaceAll(HEX_JOINTS, '');
    rest = digits.length % 2 === 0 ? '' : digits.slice(-1);
    return Buffer.from(digits.slice(0, digits.length - rest.length), 'hex');
  };
}

const WRITTEN = /\\(?:[rn\\"'`/]|x[0-9A-Fa-f]{2}|u00[0-9A-Fa-f]{2})/g;
/** What may go on in the next block. */
const WRITTEN_IN_PART = /(?<!\\)(?:\\\\)*(\\(?:x[0-9A-Fa-f]?|u(?:0(?:0[0-9A-Fa-f]?)?)?)?)$/;

function meant(written: string): string {
  const name = written[1]!;
  if (name === 'r') return '\r';
  if (name === 'n') return '\n';
  return written.length > 2 ? String.fromCharCode(Number.parseInt(written.slice(2), 16)) : name;
}

/** Escapes as C, Python, JavaScript and JSON write them; a backslash before anything else is one. */
function fromWritten(): Step {
  let rest = '';
  return (block, isLast) => {
    const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
    const text = rest + bytes.toString('latin1');
    rest = isLast ? '' : (WRITTEN_IN_PART.exec(text)?.[1] ?? '');
    return Buffer.from(text.slice(0, text.length - rest.length).replaceAll(WRITTEN, meant), 'latin1');
  };
}

/** Put an LF behind every CR that has none. */
function withLineFeeds(): Step {
  let isAfterReturn = false;
  return (block, isLast) => {
    const bytes: number[] = [];
    for (const byte of block) {
      if (isAfterReturn && byte !== LINE_FEED) bytes.push(LINE_FEED);
      bytes.push(byte);
      isAfterReturn = byte === CARRIAGE_RETURN;
    }
    if (isLast && isAfterReturn) bytes.push(LINE_FEED);
    return Uint8Array.from(bytes);
  };
}
