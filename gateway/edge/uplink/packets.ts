import { HesError } from '../../../protocol/errors.ts';
import { SEALED_BYTES_MAX } from '../../../protocol/limits.ts';

/**
 * The part of MQTT 3.1.1 that a device speaks: CONNECT, PUBLISH with QoS 1, DISCONNECT, and what comes back.
 * docs/adr/0072 says why not a client library.
 */

/** A sealed command is the largest that a head-end sends, with topic and head. */
export const INBOUND_BYTES_MAX = SEALED_BYTES_MAX + 256;

/** §3.1.2.2: 3.1.1 is level 4. §3.1.2.4: clean session, and nothing else. */
const PROTOCOL_LEVEL = 4;
const CLEAN_SESSION = 0b10;

const TYPE = { connack: 2, publish: 3, puback: 4 } as const;

/** §2.2.3: four bytes of seven bits. */
const LENGTH_BYTES_MAX = 4;

export const DISCONNECT = Buffer.from([0xe0, 0]);

export function encodeConnect(clientId: string, keepaliveSeconds: number): Buffer {
  const head = Buffer.from([...utf8('MQTT'), PROTOCOL_LEVEL, CLEAN_SESSION, 0, 0]);
  head.writeUInt16BE(keepaliveSeconds, head.length - 2);
  return packet(0x10, head, utf8(clientId));
}

export function encodePublish(topic: string, messageId: number, payload: Uint8Array): Buffer {
  return packet(0x32, utf8(topic), u16(messageId), payload);
}

export function encodePuback(messageId: number): Buffer {
  return packet(0x40, u16(messageId));
}

function packet(first: number, ...parts: Uint8Array[]): Buffer {
  let length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = [first];
  do {
    head.push((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
    length >>>= 7;
  } while (length > 0);
  return Buffer.concat([Buffer.from(head), ...parts]);
}

function utf8(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([u16(bytes.length), bytes]);
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

export interface Inbound {
  connack(returnCode: number): void;
  puback(messageId: number): void;
  /** `messageId` is null for QoS 0. */
  message(topic: string, payload: Uint8Array, messageId: number | null): void;
}

/** Takes bytes as they come and tells of whole packets. It never holds more than one packet's bound. */
export class PacketReader {
  readonly #inbound: Inbound;
  #kept: Buffer = Buffer.alloc(0);

  constructor(inbound: Inbound) {
    this.#inbound = inbound;
  }

  /** @throws ERR_UPLINK_PROTOCOL: the connection is of no further use then */
  feed(bytes: Buffer): void {
    let left = this.#kept.length === 0 ? bytes : Buffer.concat([this.#kept, bytes]);
    for (;;) {
      const head = readHead(left);
      if (head === undefined || left.length < head.end) break;
      this.#dispatch(left[0]!, left.subarray(head.start, head.end));
      left = left.subarray(head.end);
    }
    this.#kept = left;
  }

  #dispatch(first: number, body: Buffer): void {
    const type = first >> 4;
    if (type === TYPE.connack && body.length === 2) this.#inbound.connack(body[1]!);
    else if (type === TYPE.puback && body.length === 2) this.#inbound.puback(body.readUInt16BE());
    else if (type === TYPE.publish) this.#publish(first, body);
    else throw protocolError('a packet that no head-end sends to a device');
  }

  #publish(first: number, body: Buffer): void {
    const qos = (first >> 1) & 0b11;
    const topicEnd = body.length < 2 ? Number.POSITIVE_INFINITY : 2 + body.readUInt16BE();
    const start = topicEnd + (qos === 0 ? 0 : 2);
    if (qos > 1 || start > body.length) throw protocolError('a PUBLISH that is none');
    const topic = body.toString('utf8', 2, topicEnd);
    const messageId = qos === 0 ? null : body.readUInt16BE(topicEnd);
    this.#inbound.message(topic, body.subarray(start), messageId);
  }
}

function readHead(bytes: Buffer): { start: number; end: number } | undefined {
  let length = 0;
  for (let index = 1; index <= LENGTH_BYTES_MAX; index++) {
    const byte = bytes[index];
    if (byte === undefined) return undefined;
    length |= (byte & 0x7f) << (7 * (index - 1));
    if (byte > 0x7f) continue;
    if (length > INBOUND_BYTES_MAX) throw protocolError('a packet beyond the bound');
    return { start: index + 1, end: index + 1 + length };
  }
  throw protocolError('a packet length of more than four bytes');
}

function protocolError(what: string): HesError {
  return new HesError('ERR_UPLINK_PROTOCOL', `the head-end sent ${what}`);
}
