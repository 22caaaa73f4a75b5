import type { Duplex } from 'node:stream';
import { HesError, isHesError } from '../../../protocol/errors.ts';
import { SEALED_BYTES_MAX } from '../../../protocol/limits.ts';

/** What a device may send itself, with a topic and message id: a notice and a sealed command are smaller. */
export const INBOUND_BYTES_MAX = SEALED_BYTES_MAX + 256;

/** MQTT 3.1.1 §2.2.3: the remaining length has one to four bytes, seven bits each, the lowest first. */
const LENGTH_BYTES_MAX = 4;

const CONNACK = 2;
const PUBLISH = 3;
const SUBACK = 9;

/** §3.3.1.2: QoS 2 was not asked for, and both bits together are no QoS; what is kept for it would have no bound. */
const QOS_2_BIT = 0b0100;

interface Row {
  readonly bytesMin: number;
  readonly bytesMax: number;
}

/** What a head-end may send to a device (§2.2.1), and how long it then is behind its head. */
const ROWS: Readonly<Partial<Record<number, Row>>> = {
  [CONNACK]: { bytesMin: 2, bytesMax: 2 },
  [PUBLISH]: { bytesMin: 3, bytesMax: INBOUND_BYTES_MAX },
  4 /* PUBACK */: { bytesMin: 2, bytesMax: 2 },
  13 /* PINGRESP */: { bytesMin: 0, bytesMax: 0 },
};

/** §3.9: a message id, and a return code for each topic of the one SUBSCRIBE. */
const subackRow = (topics: number): Row => ({ bytesMin: 2 + topics, bytesMax: 2 + topics });

/**
 * Follows what the head-end sends by the packets' fixed headers alone: mqtt.js has no bound of its own on a
 * packet's length, and keeps whatever comes with QoS 2. It holds a few numbers and no byte.
 */
export class InboundGuard {
  readonly #suback: Row | undefined;
  #row: Row | undefined;
  #first = true;
  /** Bytes of the current packet's body that are still to come. */
  #body = 0;
  #length = 0;
  #lengthBytes = 0;

  /** @param topics how many the device subscribes to; where there are none, no SUBACK may come */
  constructor(topics = 0) {
    this.#suback = topics === 0 ? undefined : subackRow(topics);
  }

  /** @throws ERR_UPLINK_PROTOCOL: the connection is of no further use then */
  inspect(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body > 0) {
        const passed = Math.min(this.#body, chunk.length - at);
        this.#body -= passed;
        at += passed;
      } else if (this.#row === undefined) this.#row = this.#begin(chunk[at++]!);
      else if (this.#endsLength(chunk[at++]!, this.#row)) this.#row = undefined;
    }
  }

  #begin(byte: number): Row {
    const type = byte >> 4;
    const row = type === SUBACK ? this.#suback : ROWS[type];
    // §3.2: CONNACK is the first packet, and there is one.
    if (row === undefined || (type === CONNACK) !== this.#first)
      throw protocolError('a packet that no head-end sends here');
    if (type === PUBLISH && (byte & QOS_2_BIT) !== 0) throw protocolError('a PUBLISH with another QoS');
    this.#first = false;
    this.#length = 0;
    this.#lengthBytes = 0;
    return row;
  }

  #endsLength(byte: number, { bytesMin, bytesMax }: Row): boolean {
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes++;
    // What is known of a length so far can only grow.
    if (this.#length > bytesMax) throw protocolError('a packet beyond the bound');
    if (byte > 0x7f) {
      if (this.#lengthBytes === LENGTH_BYTES_MAX) throw protocolError('a packet length of five bytes');
      return false;
    }
    if (this.#length < bytesMin) throw protocolError('a packet that is too short');
    this.#body = this.#length;
    return true;
  }
}

/**
 * Put a guard between a socket and mqtt.js, which must not see even the rest of a chunk that was refused: it would
 * go on with it after it was ended, in a store that is gone, and throw. `push` is where a stream hands its bytes to
 * its reader; it is replaced on this one socket, since a stream in between would cost a copy and an event per chunk.
 */
export function guardStream(stream: Duplex, refuse: (refusal: HesError) => void, topics = 0): void {
  const guard = new InboundGuard(topics);
  const push = stream.push;
  let refused = false;
  stream.push = (chunk: Uint8Array | null, encoding?: BufferEncoding): boolean => {
    if (refused) return false;
    try {
      if (chunk !== null) guard.inspect(chunk);
      return push.call(stream, chunk, encoding);
    } catch (error) {
      if (!isHesError(error)) throw error;
      refused = true;
      refuse(error);
      return false;
    }
  };
}

export function protocolError(what: string, cause?: unknown): HesError {
  return new HesError('ERR_UPLINK_PROTOCOL', `the head-end sent ${what}`, { cause });
}
