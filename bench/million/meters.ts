/**
 * The meters of bench/million.ts, in a process of their own: raw TLS and MQTT. A meter that was without network for
 * some days connects (its TLS session resumed from the last time), sends them all, a few in flight, takes a receipt
 * and a PUBACK for each, and disconnects. Every reading is sealed and signed for itself.
 */
import { text } from 'node:stream/consumers';
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import { connect, DISCONNECT, packets, publish } from '../../gateway/front/testing/wire.ts';
import { householdIndex } from '../../gateway/router/testing/household.ts';
import { seededRandom } from '../../gateway/runtime/random.ts';
import { issueDevice, loadDevelopmentPki } from '../../pki/development/development.ts';
import { sealUplink } from '../../protocol/envelope.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { encodeDailyIndex } from '../../protocol/payload.ts';
import { readReceipt } from '../../protocol/receipt.ts';
import { upTopic } from '../../protocol/topics.ts';
import { signerOf } from '../../test/support/sealing.ts';
import type { BacklogMessage, BacklogSetup } from './protocol.ts';

/** As many as a device of ours has in flight. */
const WINDOW = 4;
const CONNACK = 0x20;
/** A PUBLISH of QoS 0. */
const RECEIPT = 0x30;
const PUBACK = 0x40;
const WITHIN_MS = 60_000;
const SAY_EVERY = 1_000;
/** Indexes that differ in their readings; what a reading says costs nobody more or less. */
const SHAPES = 32;

interface Meter {
  readonly device: DeviceId;
  readonly tenant: TenantId;
  readonly recipient: { readonly kid: Buffer; readonly publicKey: Buffer };
  readonly context: SecureContext;
  readonly signer: ReturnType<typeof signerOf>;
  session: Buffer | undefined;
  sequence: number;
}

const setup = JSON.parse(await text(process.stdin)) as BacklogSetup;
const tell = (message: BacklogMessage): void => void process.send!(message);
process.on('disconnect', () => process.exit(0));

const random = seededRandom('bench', 'million');
const meters = enrol();
const shapes = Array.from({ length: SHAPES }, () =>
  householdIndex(meters[0]!.tenant, meters[0]!.device, 1, random),
);
let delivered = 0;

function enrol(): Meter[] {
  const nowMs = Date.now();
  const pki = loadDevelopmentPki({ directory: setup.pki, nowMs, development: true });
  return Array.from({ length: setup.meters }, (_, at): Meter => {
    const { tenant, recipient } = setup.owners[at % setup.owners.length]!;
    const identity = issueDevice(pki, { home: tenant, guests: [], nowMs });
    const { tls, root, device } = identity;
    return {
      device,
      tenant,
      recipient: {
        kid: Buffer.from(recipient.kid, 'hex'),
        publicKey: Buffer.from(recipient.publicKey, 'hex'),
      },
      context: createSecureContext({
        minVersion: 'TLSv1.3',
        ecdhCurve: 'X25519',
        key: tls.key,
        cert: tls.certificate,
        ca: root,
      }),
      signer: signerOf(identity.sign),
      session: undefined,
      sequence: 0,
    };
  });
}

function seal(meter: Meter) {
  const { tenant, device, recipient, signer } = meter;
  const sequence = ++meter.sequence;
  const payload = encodeDailyIndex({ ...shapes[sequence % SHAPES]!, tenant, device, sequence });
  const binding = { tenant, device, kind: 'index' } as const;
  return { sequence, ...sealUplink({ payload, binding, recipient, signer }) };
}

/** One connection with a backlog of some days. */
function wake(meter: Meter, days: number): Promise<void> {
  const { tenant, device, session, context } = meter;
  const topic = upTopic(tenant, device, 'index');
  return new Promise((resolve, reject) => {
    const waiting = new Map<number, ReturnType<typeof seal> & { receipted: boolean }>();
    let sent = 0;
    let acknowledged = 0;
    let rest: Buffer = Buffer.alloc(0);
    const socket = connectTls({
      host: '127.0.0.1',
      port: setup.port,
      servername: 'localhost',
      secureContext: context,
      ...(session === undefined ? {} : { session }),
    });
    const fail = (why: string): void => {
      socket.destroy();
      reject(new Error(why));
    };
    const next = (): Buffer => {
      const reading = { ...seal(meter), receipted: false };
      waiting.set(++sent, reading);
      return publish({ topic, payload: reading.sealed, messageId: sent });
    };
    const receipt = (body: Buffer): void => {
      const bytes = body.subarray(2 + body.readUInt16BE(0));
      for (const reading of waiting.values()) {
        if (reading.receipted) continue;
        try {
          const { verdict } = readReceipt(reading.receiptKey, bytes, {
            tenant,
            device,
            sequence: reading.sequence,
          });
          if (verdict !== 'delivered') fail(`a reading was not delivered but: ${verdict}`);
          reading.receipted = true;
          return;
        } catch {
          // the receipt of another one in flight
        }
      }
      fail('a receipt of nothing that was sent');
    };
    const puback = (body: Buffer): void => {
      const id = body.readUInt16BE(0);
      if (waiting.get(id)?.receipted !== true) {
        fail('acknowledged without a receipt');
        return;
      }
      waiting.delete(id);
      acknowledged++;
      if (++delivered % SAY_EVERY === 0) tell({ delivered, done: false });
      if (acknowledged === days) socket.end(DISCONNECT);
      else if (sent < days) socket.write(next());
    };
    socket.setNoDelay(true);
    socket.setTimeout(WITHIN_MS, () => fail('no answer in time'));
    socket.on('error', (error) => {
      // After DISCONNECT the head-end does not read what TLS still says.
      if (acknowledged < days) fail(error.message);
    });
    socket.on('session', (fresh: Buffer) => {
      meter.session = fresh;
    });
    socket.once('secureConnect', () => {
      const first = Array.from({ length: Math.min(WINDOW, days) }, next);
      socket.write(Buffer.concat([connect({ clientId: device, keepalive: 600 }), ...first]));
    });
    socket.on('data', (bytes: Buffer) => {
      const stream = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      let taken = 0;
      for (const { first, body } of packets(stream)) {
        taken = body.byteOffset - stream.byteOffset + body.length;
        if (first === CONNACK && body[1] !== 0) fail(`CONNACK ${body[1]}`);
        else if (first === RECEIPT) receipt(body);
        else if (first === PUBACK) puback(body);
      }
      rest = stream.subarray(taken);
    });
    socket.once('close', () => {
      if (acknowledged === days) resolve();
      else fail('closed before everything was acknowledged');
    });
  });
}

async function run(): Promise<void> {
  let left = setup.indexes;
  let turn = 0;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      const days = Math.min(setup.backlog, left);
      left -= days;
      await wake(meters[turn++ % meters.length]!, days);
    }
  };
  await Promise.all(Array.from({ length: setup.atOnce }, lane));
}

tell({ enrolled: meters.length });
run().then(
  () => tell({ delivered, done: true }),
  (error: unknown) => tell({ failed: error instanceof Error ? error.message : String(error) }),
);
