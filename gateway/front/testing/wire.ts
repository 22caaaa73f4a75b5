/** MQTT 3.1.1 by hand: the tests must be able to say what no client library would. */

export const bytes = (...parts: readonly (number | string | Uint8Array)[]): Buffer =>
  Buffer.concat(
    parts.map((part) =>
      typeof part === 'number' ? Uint8Array.of(part) : typeof part === 'string' ? Buffer.from(part) : part,
    ),
  );

/** §1.5.3: a UTF-8 string with its length. */
export const text = (value: string): Buffer => bytes(value.length >> 8, value.length & 0xff, value);

/** §2.2.3. */
export function remainingLength(length: number): Buffer {
  const digits: number[] = [];
  let left = length;
  do {
    const digit = left % 128;
    left = Math.floor(left / 128);
    digits.push(left > 0 ? digit | 0x80 : digit);
  } while (left > 0);
  return Buffer.from(digits);
}

export const packet = (first: number, body: Uint8Array = Buffer.alloc(0)): Buffer =>
  bytes(first, remainingLength(body.length), body);

export interface ConnectFields {
  readonly clientId: string;
  readonly name?: string;
  readonly level?: number;
  readonly flags?: number;
  readonly keepalive?: number;
  /** Will, user name and password as they stand behind the client id. */
  readonly rest?: Uint8Array;
}

/** §3.1, clean session by default. */
export function connect({
  clientId,
  name = 'MQTT',
  level = 4,
  flags = 0x02,
  keepalive = 60,
  rest = Buffer.alloc(0),
}: ConnectFields): Buffer {
  return packet(
    0x10,
    bytes(text(name), level, flags, keepalive >> 8, keepalive & 0xff, text(clientId), rest),
  );
}

export interface PublishFields {
  readonly topic: string;
  readonly payload?: Uint8Array;
  readonly qos?: 0 | 1 | 2;
  readonly retain?: boolean;
  readonly messageId?: number;
}

/** §3.3. */
export function publish({
  topic,
  payload = Buffer.from('sealed'),
  qos = 1,
  retain = false,
  messageId = 1,
}: PublishFields): Buffer {
  const id = qos === 0 ? Buffer.alloc(0) : bytes(messageId >> 8, messageId & 0xff);
  return packet(0x30 | (qos << 1) | (retain ? 1 : 0), bytes(text(topic), id, payload));
}

/** §3.8. */
export const subscribe = (topic: string, qos = 0, messageId = 7): Buffer =>
  packet(0x82, bytes(messageId >> 8, messageId & 0xff, text(topic), qos));

export const PINGREQ = packet(0xc0);
export const DISCONNECT = packet(0xe0);

/** Cut a stream of bytes into packets: first byte and body. */
export function packets(stream: Buffer): { readonly first: number; readonly body: Buffer }[] {
  const found: { first: number; body: Buffer }[] = [];
  let at = 0;
  while (at + 2 <= stream.length) {
    let length = 0;
    let shift = 0;
    let next = at + 1;
    for (;;) {
      const byte = stream[next++];
      if (byte === undefined) return found;
      length += (byte & 0x7f) * 2 ** shift;
      shift += 7;
      if ((byte & 0x80) === 0) break;
    }
    if (next + length > stream.length) return found;
    found.push({ first: stream[at]!, body: stream.subarray(next, next + length) });
    at = next + length;
  }
  return found;
}
