import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { DevelopmentPki } from '../../../pki/development/development.ts';
import { loadServerKey } from '../../../pki/trust.ts';

/** What the head-end sends at each of a device's packets: hex, bytes, an end of the connection, or nothing. */
export type Move = string | Uint8Array | 'end' | 'destroy' | ((socket: TLSSocket, packet: Buffer) => void);

export interface Script {
  readonly connect?: Move;
  readonly publish?: Move;
  readonly subscribe?: Move;
}

/** MQTT 3.1.1 §3.2: accepted, no session. */
export const CONNACK = '20 02 00 00';

/**
 * A head-end that holds a certificate of the root and does what its script says: TLS is real, and above it every
 * byte is the test's own.
 */
export class HostileHeadEnd {
  readonly port: number;
  script: Script = {};
  /** Devices that leave are not let go. */
  clinging = false;
  /** Packets of devices, in order: type and what follows the fixed header. */
  readonly packets: { readonly type: number; readonly body: Buffer }[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<TLSSocket>();

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static async listen(pki: DevelopmentPki): Promise<HostileHeadEnd> {
    const server = createServer({
      ...loadServerKey(pki.layout.front, { development: true }),
      noDelay: true,
      allowHalfOpen: true,
    });
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const headEnd = new HostileHeadEnd(server);
    server.on('secureConnection', (socket) => headEnd.#accept(socket));
    return headEnd;
  }

  /** Devices that are connected. */
  get connected(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: TLSSocket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('end', () => {
      if (!this.clinging) socket.end();
    });
    let left: Buffer = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      left = Buffer.concat([left, bytes]);
      for (let end = packetEnd(left); end !== undefined; end = packetEnd(left)) {
        const packet = left.subarray(0, end);
        left = left.subarray(end);
        this.#take(socket, packet);
      }
    });
  }

  #take(socket: TLSSocket, packet: Buffer): void {
    const type = packet[0]! >> 4;
    const { start } = readHead(packet)!;
    this.packets.push({ type, body: packet.subarray(start) });
    const { connect, publish, subscribe } = this.script;
    const move = { 1: connect, 3: publish, 8: subscribe }[type];
    if (move === undefined) return;
    if (typeof move === 'function') move(socket, packet);
    else if (move === 'end') socket.end();
    else if (move === 'destroy') socket.destroy();
    else socket.write(typeof move === 'string' ? hex(move) : move);
  }
}

export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

/** A PUBLISH of QoS 0. */
export function publishOf(topic: string, payload: Uint8Array): Buffer {
  const name = Buffer.from(topic);
  return packetOf(0x30, Buffer.concat([hex(name.length.toString(16).padStart(4, '0')), name, payload]));
}

/** The PUBACK of a device's PUBLISH. */
export function pubackOf(publish: Buffer): Buffer {
  const { start } = readHead(publish)!;
  const idAt = start + 2 + publish.readUInt16BE(start);
  return packetOf(0x40, publish.subarray(idAt, idAt + 2));
}

/** The SUBACK of a device's SUBSCRIBE, with these return codes. */
export function subackOf(subscribe: Buffer, codes: readonly number[]): Buffer {
  const { start } = readHead(subscribe)!;
  return packetOf(0x90, Buffer.concat([subscribe.subarray(start, start + 2), Uint8Array.from(codes)]));
}

/** A packet, or only its head where `body` is how long it claims to be (§2.2.3). */
export function packetOf(first: number, body: Uint8Array | number): Buffer {
  const length: number[] = [];
  let rest = typeof body === 'number' ? body : body.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from([first, ...length]), typeof body === 'number' ? Buffer.alloc(0) : body]);
}

function readHead(bytes: Buffer): { start: number; length: number } | undefined {
  let length = 0;
  for (let at = 1; at < bytes.length; at++) {
    length += (bytes[at]! & 0x7f) * 128 ** (at - 1);
    if (bytes[at]! < 0x80) return { start: at + 1, length };
  }
  return undefined;
}

function packetEnd(bytes: Buffer): number | undefined {
  const head = readHead(bytes);
  return head === undefined || head.start + head.length > bytes.length ? undefined : head.start + head.length;
}
