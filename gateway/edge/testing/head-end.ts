import { X509Certificate } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { Aedes, type Client, type Subscription } from 'aedes';
import { createDevelopmentPki, type DevelopmentPki } from '../../../pki/development/development.ts';
import { loadSealingKey, loadServerKey } from '../../../pki/trust.ts';
import { type Outcome, verifyOutcome } from '../../../protocol/command/outcome.ts';
import { decodeEvent, type Report, verifyReport } from '../../../protocol/command/report.ts';
import { type CommandResult, decodeResult } from '../../../protocol/command/result.ts';
import { openUplink, readSigner, verifyUplink } from '../../../protocol/envelope.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { decodeDailyIndex } from '../../../protocol/payload.ts';
import type { DailyIndex } from '../../../protocol/reading.ts';
import { makeReceipt, type Verdict } from '../../../protocol/receipt.ts';
import { downTopic, parseTopic, type Topic } from '../../../protocol/topics.ts';

/** What the head-end does with a reading: a verdict, or one of the ways in which it can fail. */
export type Answer =
  | Verdict
  | 'silence'
  | 'close'
  | 'puback-only'
  | { readonly raw: (receipt: Uint8Array, receiptKey: Uint8Array) => Uint8Array; readonly verdict: Verdict };

/** A result that was opened, with the outcome that its device signed. */
export interface ReceivedResult {
  readonly tenant: TenantId;
  readonly result: CommandResult;
  readonly outcome: Outcome;
}

type UpTopic = Extract<Topic, { direction: 'up' }>;

/**
 * The head-end for the edge's tests: a real broker (aedes) behind real mutual TLS with the development PKI, that
 * opens and checks whatever comes and answers as the test says. It is front, router and desk in one, and as in those
 * the next command goes out before a SUBACK or the receipt of a result does.
 */
export class FakeHeadEnd {
  readonly pki: DevelopmentPki;
  readonly port: number;
  /** Every reading that was opened, in order. */
  readonly received: DailyIndex[] = [];
  readonly handshakes: { readonly resumed: boolean }[] = [];
  answer: (index: DailyIndex) => Answer = () => ({ verdict: 'delivered' });
  readonly results: ReceivedResult[] = [];
  readonly reports: Report[] = [];
  /** Topics in the order in which they were subscribed to. */
  readonly subscribed: string[] = [];
  answerResult: (outcome: Outcome) => Answer = () => ({ verdict: 'delivered' });
  answerReport: (report: Report) => Answer = () => ({ verdict: 'delivered' });
  subscription: 'grant' | 'refuse' | 'silence' = 'grant';
  /** What a desk does when a device is awake, or has given a result: before either is answered. */
  dispatch: (tenant: TenantId, device: DeviceId) => void = () => {};
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
  /** Subscribed, by topic. */
  readonly #clients = new Map<string, Client>();

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
    broker.authorizeSubscribe = (client, subscription, done) =>
      headEnd.#subscribe(client!, subscription, done);
    return headEnd;
  }

  /** Whether somebody listens on a topic of commands. */
  isAwake(tenant: TenantId, device: DeviceId): boolean {
    const topic = downTopic(tenant, device, 'command');
    return this.#clients.get(topic)?.closed === false;
  }

  /** Write to a device, QoS 0, whatever it is; false where it is not there. */
  send(tenant: TenantId, device: DeviceId, payload: Uint8Array, topic?: string): boolean {
    const own = downTopic(tenant, device, 'command');
    if (!this.isAwake(tenant, device)) return false;
    const packet = { cmd: 'publish', topic: topic ?? own, payload: Buffer.from(payload) } as const;
    this.#clients.get(own)!.publish({ ...packet, qos: 0, dup: false, retain: false }, () => {});
    return true;
  }

  /** Cut every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  get connected(): number {
    return this.#sockets.size;
  }

  /** As if nothing had happened. */
  reset(): void {
    this.received.length = 0;
    this.handshakes.length = 0;
    this.results.length = 0;
    this.reports.length = 0;
    this.subscribed.length = 0;
    this.answerResult = () => ({ verdict: 'delivered' });
    this.answerReport = () => ({ verdict: 'delivered' });
    this.subscription = 'grant';
    this.dispatch = () => {};
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

  #subscribe(
    client: Client,
    subscription: Subscription,
    done: (error: Error | null, granted?: Subscription | null) => void,
  ): void {
    const { tenant, device } = parseTopic(subscription.topic);
    this.subscribed.push(subscription.topic);
    if (this.subscription === 'silence') return;
    if (this.subscription === 'refuse') {
      done(null, null);
      return;
    }
    this.#clients.set(subscription.topic, client);
    this.dispatch(tenant, device);
    done(null, subscription);
  }

  /** What came, by its kind: kept for the test, and what is answered to it. */
  #open(
    { tenant, device, kind }: UpTopic,
    payload: Uint8Array,
    publicKey: X509Certificate['publicKey'],
  ): { readonly sequence: number; readonly answer: Answer } {
    const about = { tenant, device };
    const bound = <T extends typeof about>(message: T): T => {
      if (message.tenant === tenant && message.device === device) return message;
      throw new Error('not bound to its topic');
    };
    if (kind === 'index') {
      const index = bound(decodeDailyIndex(payload));
      this.received.push(index);
      return { sequence: index.sequence, answer: this.answer(index) };
    }
    if (kind === 'result') {
      const result = bound(decodeResult(payload));
      const outcome = verifyOutcome({ signed: result.outcome, about, publicKey });
      this.results.push({ tenant, result, outcome });
      return { sequence: result.sequence, answer: this.answerResult(outcome) };
    }
    const event = bound(decodeEvent(payload));
    const report = verifyReport({ signed: event.report, about, publicKey });
    this.reports.push(report);
    return { sequence: event.sequence, answer: this.answerReport(report) };
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
    const payload = verifyUplink({ signed, binding, publicKey });
    const { sequence, answer } = this.#open(topic, payload, publicKey);
    const { tenant, device } = topic;
    this.heldMax = Math.max(this.heldMax, ++this.held);
    if (answer === 'silence') return;
    if (answer === 'close') {
      this.held--;
      client.conn.destroy();
      return;
    }
    const receiptOf = (verdict: Verdict): Uint8Array =>
      makeReceipt(receiptKey, { tenant, device, sequence, time: Math.floor(Date.now() / 1000), ...verdict });
    let receipt: Uint8Array | undefined;
    if (answer !== 'puback-only')
      receipt = 'raw' in answer ? answer.raw(receiptOf(answer.verdict), receiptKey) : receiptOf(answer);
    // A tick later, so that readings are held side by side as with a real router.
    setTimeout(() => {
      this.held--;
      if (receipt === undefined) return done();
      if (topic.kind === 'result') this.dispatch(tenant, device);
      const packet = { cmd: 'publish', topic: downTopic(tenant, device, 'receipt') } as const;
      client.publish({ ...packet, payload: Buffer.from(receipt), qos: 0, dup: false, retain: false }, () =>
        done(),
      );
    }, 2);
  }
}

function pemOf(pki: DevelopmentPki, tenant: DevelopmentPki['tenants'][number]): string {
  const certificate = pki.authorities.get(tenant)!.certificate.der;
  return new X509Certificate(certificate).toString();
}
