/**
 * The meters of bench/day.ts, in a process of their own: raw TLS and MQTT, the same for whoever listens. A day is
 * connect, CONNECT and PUBLISH in one flight, wait for the PUBACK (and, before it, a valid receipt where one is
 * due), DISCONNECT, wait for the end of the connection.
 */
import { text } from 'node:stream/consumers';
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { connect, DISCONNECT, packets, publish } from '../../gateway/front/testing/wire.ts';
import { householdIndex } from '../../gateway/router/testing/household.ts';
import { seededRandom } from '../../gateway/runtime/random.ts';
import type { DeviceIdentity } from '../../pki/trust.ts';
import { sealUplink } from '../../protocol/envelope.ts';
import { encodeDailyIndex } from '../../protocol/payload.ts';
import { readReceipt } from '../../protocol/receipt.ts';
import { upTopic } from '../../protocol/topics.ts';
import { signerOf } from '../../test/support/sealing.ts';
import { median, round } from '../lib/statistics.ts';
import type {
  DaysOrder,
  DaysReport,
  MetersAnswer,
  MetersMessage,
  MetersSetup,
  Negotiated,
} from './protocol.ts';

/** The same offer to everybody: one version, one cipher suite, the group that costs the least. */
const OFFER = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256',
  ecdhCurve: 'X25519',
} as const;

const KEEPALIVE_SECONDS = 600;
const CONNACK = 0x20;
/** A PUBLISH of QoS 0. */
const RECEIPT = 0x30;
const PUBACK = 0x40;
const DAY_WITHIN_MS = 30_000;

interface Meter {
  readonly identity: DeviceIdentity;
  readonly context: SecureContext;
  readonly signer: ReturnType<typeof signerOf>;
  /** The newest session of each port. */
  readonly sessions: Map<number, Buffer>;
}

interface Reading {
  readonly sequence: number;
  readonly sealed: Uint8Array;
  readonly receiptKey: Uint8Array;
}

const setup = JSON.parse(await text(process.stdin)) as MetersSetup;
const { tenant } = setup;
const recipient = {
  kid: Buffer.from(setup.recipient.kid, 'hex'),
  publicKey: Buffer.from(setup.recipient.publicKey, 'hex'),
};
const random = seededRandom('bench', 'day');
const meters = setup.identities.map(
  (identity): Meter => ({
    identity,
    context: createSecureContext({
      ...OFFER,
      key: identity.tls.key,
      cert: identity.tls.certificate,
      ca: identity.root,
    }),
    signer: signerOf(identity.sign),
    sessions: new Map(),
  }),
);

let sequence = 0;

function sealDay({ identity: { device }, signer }: Meter): Reading {
  sequence++;
  const payload = encodeDailyIndex(householdIndex(tenant, device, sequence, random));
  const binding = { tenant, device, kind: 'index' } as const;
  return { sequence, ...sealUplink({ payload, binding, recipient, signer }) };
}

let negotiated: Negotiated | undefined;

function isDelivered(
  message: Buffer,
  receiptKey: Uint8Array,
  of: Parameters<typeof readReceipt>[2],
): boolean {
  const receipt = message.subarray(2 + message.readUInt16BE(0));
  return readReceipt(receiptKey, receipt, of).verdict === 'delivered';
}

/** @returns whether the TLS session was a resumed one */
function live(meter: Meter, { sequence, sealed, receiptKey }: Reading, order: DaysOrder): Promise<boolean> {
  const { port, resume, receipts } = order;
  const { device } = meter.identity;
  const session = resume ? meter.sessions.get(port) : undefined;
  return new Promise((resolve, reject) => {
    let acknowledged = false;
    let receipted = !receipts;
    let resumed = false;
    const socket: TLSSocket = connectTls({
      host: '127.0.0.1',
      port,
      servername: 'localhost',
      secureContext: meter.context,
      ...(session === undefined ? {} : { session }),
    });
    const fail = (why: string): void => {
      socket.destroy();
      reject(new Error(`a day at port ${port}: ${why}`));
    };
    socket.setNoDelay(true);
    socket.setTimeout(DAY_WITHIN_MS, () => fail('no end in time'));
    socket.on('error', (error) => {
      // After DISCONNECT a peer may reset: Mosquitto does not read what TLS still says.
      if (!acknowledged) fail(error.message);
    });
    socket.on('session', (fresh: Buffer) => meter.sessions.set(port, fresh));
    const take = (first: number, body: Buffer): void => {
      if (first === CONNACK && body[1] !== 0) fail(`CONNACK ${body[1]}`);
      else if (first === RECEIPT) receipted = isDelivered(body, receiptKey, { tenant, device, sequence });
      else if (first === PUBACK && !receipted) fail('acknowledged without a receipt');
      else if (first === PUBACK) {
        acknowledged = true;
        socket.end(DISCONNECT);
      }
    };
    // Answers come whole: 300 bytes at most, each written at once.
    socket.on('data', (bytes: Buffer) => {
      for (const { first, body } of packets(bytes)) take(first, body);
    });
    socket.once('secureConnect', () => {
      resumed = socket.isSessionReused();
      negotiated ??= {
        protocol: socket.getProtocol() ?? '',
        cipher: socket.getCipher().name,
        group: String((socket.getEphemeralKeyInfo() as { name?: string }).name),
      };
      socket.write(
        Buffer.concat([
          connect({ clientId: device, keepalive: KEEPALIVE_SECONDS }),
          publish({ topic: upTopic(tenant, device, 'index'), payload: sealed }),
        ]),
      );
    });
    socket.once('close', () => {
      if (acknowledged) resolve(resumed);
      else fail('closed without an acknowledgement');
    });
  });
}

async function liveAll(
  order: DaysOrder,
  readings: readonly (readonly [Meter, Reading])[],
): Promise<DaysReport> {
  const startedMs = performance.now();
  const eachMs: number[] = [];
  let next = 0;
  let resumed = 0;
  negotiated = undefined;
  const lane = async (): Promise<void> => {
    while (next < readings.length) {
      const [meter, reading] = readings[next++]!;
      const beganMs = performance.now();
      if (await live(meter, reading, order)) resumed++;
      eachMs.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: setup.atOnce }, lane));
  return {
    days: readings.length,
    resumed,
    elapsedMs: performance.now() - startedMs,
    medianMs: round(median(eachMs)),
    sealedBytes: readings[0]![1].sealed.length,
    negotiated: negotiated!,
  };
}

const tell = (answer: MetersAnswer): void => void process.send!(answer);

let prepared: (() => Promise<DaysReport>) | undefined;
process.on('message', (message: MetersMessage) => {
  if ('prepare' in message) {
    const order = message.prepare;
    const readings = Array.from({ length: order.days }, (_, at) => {
      const meter = meters[at % meters.length]!;
      return [meter, sealDay(meter)] as const;
    });
    prepared = () => liveAll(order, readings);
    tell({ ready: true });
  } else
    prepared!().then(
      (report) => tell({ report }),
      (error: unknown) => tell({ failed: error instanceof Error ? error.message : String(error) }),
    );
});
process.on('disconnect', () => process.exit(0));
