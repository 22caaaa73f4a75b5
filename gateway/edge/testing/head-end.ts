import { X509Certificate } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { Aedes, type Client } from 'aedes';
import { createDevelopmentPki, type DevelopmentPki } from '../../../pki/development.ts';
import { loadSealingKey, loadServerKey } from '../../../pki/trust.ts';
import { openUplink, readSigner, verifyUplink } from '../../../protocol/envelope.ts';
import { decodeDailyIndex } from '../../../protocol/payload.ts';
import type { DailyIndex } from '../../../protocol/reading.ts';
import { makeReceipt, type Verdict } from '../../../protocol/receipt.ts';
import { downTopic, parseTopic } from '../../../protocol/topics.ts';

/** What the head-end does with a reading: a verdict, or one of the ways in which it can fail. */
export type Answer =
  | Verdict
  | 'silence'
  | 'close'
  | 'puback-only'
  | { readonly raw: (receipt: Uint8Array, receiptKey: Uint8Array) => Uint8Array; readonly verdict: Verdict };

/**
 * The head-end for the edge's tests: a real broker (aedes) behind real mutual TLS with the development PKI, that
 * opens and checks every reading and answers as the test says. It is front and router in one.
 */
export class FakeHeadEnd {
  readonly pki: DevelopmentPki;
  readonly port: number;
  /** Every reading that was opened, in order. */
  readonly received: DailyIndex[] = [];
  readonly handshakes: { readonly resumed: boolean }[] = [];
  answer: (index: DailyIndex) => Answer = () => ({ verdict: 'delivered' });
  /** CONNECT is refused while this is set. */
  refusing = false;
  /** TLS stands, and then nobody reads. */
  mute = false;
  /** Readings held at once, and the most that ever were. */
  held = 0;
  heldMax = 0;
  readonly #server: Server;
  readonly #broker: Aedes;
  readonly #sockets = new Set<TLSSocket>();

  private constructor(pki: DevelopmentPki, server: Server, broker: Aedes) {
    this.pki = pki;
    this.#server = server;
    this.#broker = broker;
    this.port = (server.address() as AddressInfo).port;
  }

  static async start(directory: string, tenants: DevelopmentPki['tenants'], port = 0): Promise<FakeHeadEnd> {
    const pki = createDevelopmentPki({ directory, tenants, nowMs: Date.now() });
    return FakeHeadEnd.listen(pki, port);
  }

  static async listen(pki: DevelopmentPki, port = 0): Promise<FakeHeadEnd> {
    const broker = await Aedes.createBroker();
    const server = createServer({
      ...loadServerKey(pki.layout.front, { development: true }),
      ca: [pki.root.pem, ...[...pki.authorities.keys()].map((tenant) => pemOf(pki, tenant))],
      requestCert: true,
      rejectUnauthorized: true,
      sessionIdContext: 'hes-front',
      ecdhCurve: 'X25519:P-256',
      noDelay: true,
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const headEnd = new FakeHeadEnd(pki, server, broker);
    server.on('secureConnection', (socket) => headEnd.#accept(socket));
    server.on('tlsClientError', () => {});
    broker.on('clientError', () => {});
    broker.preConnect = (_client, _packet, done) => done(null, true);
    broker.authenticate = (_client, _user, _password, done) => {
      if (headEnd.refusing) done(Object.assign(new Error('refused'), { returnCode: 5 }), false);
      else done(null, true);
    };
    broker.authorizePublish = (client, packet, done) => {
      if (client !== null) headEnd.#take(client, packet.topic, packet.payload as Buffer, done);
    };
    return headEnd;
  }

  get connected(): number {
    return this.#sockets.size;
  }

  /** As if nothing had happened. */
  reset(): void {
    this.received.length = 0;
    this.handshakes.length = 0;
    this.held = 0;
    this.heldMax = 0;
    this.answer = () => ({ verdict: 'delivered' });
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await new Promise<void>((resolve) => this.#broker.close(resolve));
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.pki.layout.directory, { recursive: true });
  }

  #accept(socket: TLSSocket): void {
    this.handshakes.push({ resumed: socket.isSessionReused() });
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    if (!this.mute) this.#broker.handle(socket);
  }

  #take(client: Client, topicText: string, sealed: Buffer, done: (error?: Error | null) => void): void {
    const topic = parseTopic(topicText);
    if (topic.direction !== 'up') throw new Error('a device publishes upwards only');
    const binding = { tenant: topic.tenant, device: topic.device, kind: topic.kind };
    const { kid } = this.pki.owners.get(topic.tenant)!;
    const key = loadSealingKey(this.pki.layout.sealing(topic.tenant, kid), {
      tenant: topic.tenant,
      development: true,
    });
    const { signed, receiptKey } = openUplink({ sealed, binding, keys: [key] });
    const { publicKey } = new X509Certificate(readSigner(signed));
    const index = decodeDailyIndex(verifyUplink({ signed, binding, publicKey }));
    if (index.tenant !== topic.tenant || index.device !== topic.device)
      throw new Error('not bound to its topic');
    this.received.push(index);
    this.heldMax = Math.max(this.heldMax, ++this.held);
    const answer = this.answer(index);
    if (answer === 'silence') return;
    if (answer === 'close') {
      this.held--;
      client.conn.destroy();
      return;
    }
    const { tenant, device, sequence } = index;
    const receiptOf = (verdict: Verdict): Uint8Array =>
      makeReceipt(receiptKey, { tenant, device, sequence, time: Math.floor(Date.now() / 1000), ...verdict });
    let payload: Uint8Array | undefined;
    if (answer !== 'puback-only')
      payload = 'raw' in answer ? answer.raw(receiptOf(answer.verdict), receiptKey) : receiptOf(answer);
    // A tick later, so that readings are held side by side as with a real router.
    setTimeout(() => {
      this.held--;
      if (payload === undefined) return done();
      const packet = { cmd: 'publish', topic: downTopic(tenant, device, 'receipt'), payload } as const;
      client.publish({ ...packet, payload: Buffer.from(payload), qos: 0, dup: false, retain: false }, () =>
        done(),
      );
    }, 2);
  }
}

function pemOf(pki: DevelopmentPki, tenant: DevelopmentPki['tenants'][number]): string {
  const certificate = pki.authorities.get(tenant)!.certificate.der;
  return new X509Certificate(certificate).toString();
}
