import { connect as connectTls, createSecureContext, type TLSSocket } from 'node:tls';
import { connect, packets, publish, subscribe } from '../../gateway/front/testing/wire.ts';
import { signOutcome } from '../../protocol/command/outcome.ts';
import { encodeResult } from '../../protocol/command/result.ts';
import { openCommand } from '../../protocol/command/sealed.ts';
import { claimedCommandId } from '../../protocol/command/signed.ts';
import { type RecipientKey, type SealingKey, type SignerKey, sealUplink } from '../../protocol/envelope.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { readReceipt } from '../../protocol/receipt.ts';
import { downTopic, upTopic } from '../../protocol/topics.ts';

/**
 * One awake meter of bench/commands.ts: raw TLS and MQTT, no disk. It opens each command, does not look at who signed
 * it, and says that it was executed, so that the machine works for the head-end.
 */

export interface LeanIdentity {
  readonly device: DeviceId;
  readonly tenant: TenantId;
  readonly tls: { readonly key: string; readonly certificate: string };
  readonly root: string;
  readonly signer: SignerKey;
  readonly keys: readonly SealingKey[];
  readonly recipient: RecipientKey;
}

interface Result {
  readonly sequence: number;
  readonly sealed: Uint8Array;
  readonly receiptKey: Uint8Array;
}

export interface LeanEvents {
  executed(): void;
  receipted(): void;
  retried(): void;
  failed(why: string): void;
}

const CONNACK = 0x20;
const SUBACK = 0x90;
const SUBSCRIBED = 1;
/** A PUBLISH of QoS 0: a command or a receipt, as its topic says. */
const PUBLISH = 0x30;
const KEEPALIVE_SECONDS = 1_200;
const SUBSCRIBE_ID = 0xffff;

/** Resolves once the meter listens for commands; `socket.destroy()` ends it. */
export function wake(identity: LeanIdentity, port: number, events: LeanEvents): Promise<TLSSocket> {
  const { device, tenant, tls, root } = identity;
  const topics = {
    command: downTopic(tenant, device, 'command'),
    receipt: downTopic(tenant, device, 'receipt'),
    result: upTopic(tenant, device, 'result'),
  };
  const waiting: Result[] = [];
  let sequence = Date.now();
  let messageId = 0;

  return new Promise((resolve, reject) => {
    const context = createSecureContext({
      minVersion: 'TLSv1.3',
      ecdhCurve: 'X25519',
      key: tls.key,
      cert: tls.certificate,
      ca: root,
    });
    const socket = connectTls({ host: '127.0.0.1', port, servername: 'localhost', secureContext: context });
    const fail = (why: string): void => {
      socket.destroy();
      reject(new Error(why));
      events.failed(why);
    };

    function execute(sealed: Uint8Array): void {
      const binding = { tenant, device };
      const id = claimedCommandId(openCommand({ sealed, binding, keys: identity.keys }));
      if (id === undefined) throw new Error('a command without an id');
      events.executed();
      sequence += 1;
      const time = Math.floor(Date.now() / 1_000);
      const outcome = signOutcome({
        outcome: { ...binding, command: id, time, state: 'executed', code: null },
        signer: identity.signer,
      });
      const result = encodeResult({ version: 1, ...binding, sequence, outcome, meters: [] });
      const { recipient, signer } = identity;
      const message = sealUplink({
        payload: result,
        binding: { ...binding, kind: 'result' },
        recipient,
        signer,
      });
      send({ sequence, ...message });
    }

    function send(result: Result): void {
      waiting.push(result);
      messageId = (messageId % 0xfff0) + 1;
      socket.write(publish({ topic: topics.result, payload: result.sealed, messageId }));
    }

    function receipt(bytes: Uint8Array): void {
      const first = waiting.shift();
      if (first === undefined) throw new Error('a receipt of nothing that was sent');
      const about = { tenant, device, sequence: first.sequence };
      const answer = readReceipt(first.receiptKey, bytes, about);
      if (answer.verdict === 'later') {
        events.retried();
        setTimeout(send, answer.seconds * 1_000, first);
      } else if (answer.verdict === 'refused') throw new Error(`a result was refused: ${answer.code}`);
      else events.receipted();
    }

    function published(body: Buffer): void {
      const end = 2 + body.readUInt16BE(0);
      const topic = body.toString('latin1', 2, end);
      if (topic === topics.command) execute(body.subarray(end));
      else if (topic === topics.receipt) receipt(body.subarray(end));
      else throw new Error('a topic that is not mine');
    }

    function take(first: number, body: Buffer): void {
      if (first === CONNACK && body[1] !== 0) fail(`CONNACK ${body[1]}`);
      else if (first === SUBACK && body[2] !== SUBSCRIBED) fail(`SUBACK ${body[2]}`);
      else if (first === SUBACK) resolve(socket);
      else if (first === PUBLISH) published(body);
    }

    let rest: Buffer = Buffer.alloc(0);
    socket.setNoDelay(true);
    socket.on('error', (error) => fail(error.message));
    socket.once('secureConnect', () => {
      socket.write(
        Buffer.concat([
          connect({ clientId: device, keepalive: KEEPALIVE_SECONDS }),
          subscribe(topics.command, SUBSCRIBED, SUBSCRIBE_ID),
        ]),
      );
    });
    socket.on('data', (bytes: Buffer) => {
      const stream = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      let taken = 0;
      try {
        for (const { first, body } of packets(stream)) {
          taken = body.byteOffset - stream.byteOffset + body.length;
          take(first, body);
        }
      } catch (error) {
        fail(error instanceof Error ? error.message : String(error));
      }
      rest = stream.subarray(taken);
    });
    socket.once('close', () => fail('closed by the front'));
  });
}
