import type { Duplex } from 'node:stream';
import type { FrontLimits } from './limits.ts';
import type { Refusal } from './reasons.ts';

/** MQTT 3.1.1 §2.2.1: control packet types as they stand in the high half of a packet's first byte. */
const CONNECT = 1;
const PUBLISH = 3;

/**
 * MQTT 3.1.1 §2.2.1: what a client may send here. The packets of QoS 2 (5, 6, 7) are refused by name, the
 * server's own (2, 9, 11, 13) and the reserved (0, 15) as malformed.
 */
const REFUSED_TYPES: readonly (Refusal | undefined)[] = [
  'malformed',
  undefined, // CONNECT
  'malformed',
  undefined, // PUBLISH
  undefined, // PUBACK
  'qos-2',
  'qos-2',
  'qos-2',
  undefined, // SUBSCRIBE
  'malformed',
  undefined, // UNSUBSCRIBE
  'malformed',
  undefined, // PINGREQ
  'malformed',
  undefined, // DISCONNECT
  'malformed',
];

/** MQTT 3.1.1 §2.2.3: the remaining length has one to four bytes, seven bits each. */
const LENGTH_BYTES_MAX = 4;

/**
 * Follows the packets of one connection by their fixed headers alone and finds the first that must not pass,
 * before the broker's parser has buffered any of its body. It keeps three numbers and no byte.
 */
export class FrameGuard {
  readonly #packetBytesMax: number;
  readonly #connectBytesMax: number;
  #connected = false;
  /** Bytes of the current packet's body that are still to come. */
  #body = 0;
  /** Number of length bytes read; -1 while the first byte of a packet is awaited. */
  #lengthBytes = -1;
  #length = 0;

  constructor(limits: Pick<FrontLimits, 'packetBytesMax' | 'connectBytesMax'>) {
    this.#packetBytesMax = limits.packetBytesMax;
    this.#connectBytesMax = limits.connectBytesMax;
  }

  /** Look at the next bytes. Once it has refused, the connection is to be closed and nothing more shown to it. */
  inspect(chunk: Uint8Array): Refusal | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body > 0) {
        const passed = Math.min(this.#body, chunk.length - at);
        this.#body -= passed;
        at += passed;
        continue;
      }
      const byte = chunk[at]!;
      at += 1;
      const refusal = this.#lengthBytes < 0 ? this.#startPacket(byte) : this.#readLength(byte);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  #startPacket(byte: number): Refusal | undefined {
    const type = byte >> 4;
    if (!this.#connected && type !== CONNECT) return 'connect-first';
    if (this.#connected && type === CONNECT) return 'connect-twice';
    // §3.3.1.2: both QoS bits set is no QoS.
    if (type === PUBLISH && (byte & 0x06) === 0x06) return 'malformed';
    this.#lengthBytes = 0;
    this.#length = 0;
    return REFUSED_TYPES[type];
  }

  #readLength(byte: number): Refusal | undefined {
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes += 1;
    // The bound is checked on what is known so far: a length can only grow.
    if (this.#length > (this.#connected ? this.#packetBytesMax : this.#connectBytesMax)) return 'oversize';
    if ((byte & 0x80) !== 0) return this.#lengthBytes === LENGTH_BYTES_MAX ? 'malformed' : undefined;
    this.#connected = true;
    this.#body = this.#length;
    this.#lengthBytes = -1;
    return undefined;
  }
}

export interface StreamGuard {
  readonly frames: FrameGuard;
  readonly unreadBytesMax: number;
  readonly refuse: (reason: Refusal) => void;
  /** It sends on and does not read what it gets. */
  readonly slow: () => void;
}

/**
 * Put a guard between a socket and its reader. `push` is where a stream hands its bytes to its buffer; it is
 * replaced on this one socket, since a stream in between would cost a copy and an event per chunk.
 */
export function guardStream(stream: Duplex, { frames, unreadBytesMax, refuse, slow }: StreamGuard): void {
  const push = stream.push;
  let stopped = false;
  stream.push = (chunk: Uint8Array | null, encoding?: BufferEncoding): boolean => {
    if (stopped) return false;
    if (chunk !== null) {
      const refusal = frames.inspect(chunk);
      stopped = refusal !== undefined || stream.writableLength > unreadBytesMax;
      if (refusal !== undefined) refuse(refusal);
      else if (stopped) slow();
      if (stopped) return false;
    }
    return push.call(stream, chunk, encoding);
  };
}
