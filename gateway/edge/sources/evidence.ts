import type { P1Fault } from '../p1/telegram.ts';
import type { PortState } from './source.ts';

/** An average from which on it is a stream and no accident: any meter read at any speed gives more. */
const STREAM_BYTES_PER_SECOND = 20;
/** Text of a telegram is all printable; a random byte is so with a chance of 0.38. */
const TEXT_SHARE_MIN = 0.9;

const SPACE = 0x20;
const DELETE = 0x7f;
const TAB = 0x09;
const CARRIAGE_RETURN = 0x0d;

/** Encrypted frames that were whole by their length: the line is good, the key is not. */
const SEALED_FAULTS: ReadonlySet<P1Fault> = new Set([
  'encrypted',
  'tag-invalid',
  'untagged',
  'not-text',
  'dlms',
]);
/** Frames that were telegrams to their last line; what another speed makes of a telegram never is. */
const DAMAGED_FAULTS: ReadonlySet<P1Fault> = new Set(['crc-invalid', 'crc-missing', 'damaged']);

/** What came since the last telegram, as far as it tells what is wrong. */
export class Evidence {
  bytes = 0;
  #text = 0;
  #sealedFaults = 0;
  #damagedFaults = 0;

  block(block: Uint8Array): void {
    this.bytes += block.length;
    for (const byte of block) if (isText(byte)) this.#text += 1;
  }

  fault(fault: P1Fault): void {
    if (SEALED_FAULTS.has(fault)) this.#sealedFaults += 1;
    if (DAMAGED_FAULTS.has(fault)) this.#damagedFaults += 1;
  }

  reset(): void {
    this.bytes = 0;
    this.#text = 0;
    this.#sealedFaults = 0;
    this.#damagedFaults = 0;
  }

  /** What bytes that are no telegrams, collected over so long, look like. */
  verdict(overMs: number): PortState {
    if (this.#sealedFaults > 0) return 'undecipherable';
    if (this.#damagedFaults > 0) return 'damaged';
    if (this.bytes * 1000 < STREAM_BYTES_PER_SECOND * overMs) return 'noise';
    return this.#text >= TEXT_SHARE_MIN * this.bytes ? 'damaged' : 'wrong-speed';
  }
}

function isText(byte: number): boolean {
  return (byte >= SPACE && byte < DELETE) || (byte >= TAB && byte <= CARRIAGE_RETURN);
}
