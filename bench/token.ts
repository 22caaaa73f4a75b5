import { createECDH, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { TokenPool } from '../pki/hsm/pool.ts';
import { parseTokenReference } from '../pki/hsm/reference.ts';
import { SOFTHSM, softTokens } from '../pki/hsm/testing/soft-token.ts';
import { closeTokens } from '../pki/hsm/token.ts';
import { makeKeyIn } from '../pki/keys/key-maker.ts';
import { signDer } from '../pki/x509/signature.ts';
import { openUplink, type RemoteKey, type SealingKey, sealUplink } from '../protocol/envelope.ts';
import type { DeviceId, TenantId } from '../protocol/identity.ts';
import { sampleSigner } from '../protocol/testing/samples.ts';
import type { Bench, BenchOutcome } from './lib/bench.ts';
import { median, round } from './lib/statistics.ts';

const BINDING = {
  tenant: 'ores' as TenantId,
  device: '0123456789abcdef' as DeviceId,
  kind: 'index',
} as const;
const KID = new Uint8Array(8);
/** As many as a router has in hand at load. */
const BATCH = 32;
const PAYLOAD_BYTES = 4_096;
const FULL = { turns: 30, batches: 20, signatures: 300 };
const QUICK = { turns: 2, batches: 2, signatures: 10 };

/** Milliseconds of the clock for each of `count`. */
async function each(count: number, run: () => unknown): Promise<number> {
  const startedMs = performance.now();
  for (let at = 0; at < count; at++) await run();
  return (performance.now() - startedMs) / count;
}

const OPENED = 'uplinks opened with a key in a token to those with one in a file';

async function withoutToken(count: number): Promise<BenchOutcome> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const aloneMs = await each(count, () => agreeAlone(privateKey));
  return {
    ratios: [{ name: OPENED, value: null }],
    figures: [{ name: 'bare ECDH', value: round(1_000 / aloneMs, 0), unit: 'a second' }],
    absent: ['softhsm2 (apt-get install softhsm2)'],
    notes: [],
    details: {},
  };
}

const sealTo = (publicKey: Uint8Array): Uint8Array =>
  sealUplink({
    payload: new Uint8Array(PAYLOAD_BYTES),
    binding: BINDING,
    recipient: { kid: KID, publicKey },
    signer: sampleSigner().signer,
  }).sealed;

export const bench: Bench = {
  what: 'Uplinks opened with a sealing key in a token (SoftHSM2) beside one in a file, and signatures of a CA.',

  async run({ quick, progress }) {
    const { turns, batches, signatures } = quick ? QUICK : FULL;
    if (SOFTHSM === undefined) return withoutToken(signatures);
    progress('a token');
    const soft = softTokens();
    soft.initialize('bench');
    const place = soft.place('bench');
    const make = makeKeyIn(place);
    const inToken = make('agree', 'sealing');
    const { key } = parseTokenReference(inToken.keyPem, 'bench');
    const pool = new TokenPool(place);
    const remote: RemoteKey = {
      kid: KID,
      suite: 'p256-a128gcm',
      agree: (point) => pool.ask({ op: 'agree', key, point }),
    };
    const file = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const local: SealingKey = { kid: KID, privateKey: file.privateKey };
    const spki = file.publicKey.export({ type: 'spki', format: 'der' });
    const sealed = { file: sealTo(spki.subarray(-65)), token: sealTo(inToken.spki.subarray(-65)) };
    const open = (bytes: Uint8Array, by: SealingKey | RemoteKey) => async () => {
      await Promise.all(
        Array.from({ length: BATCH }, () => openUplink({ sealed: bytes, binding: BINDING, keys: [by] })),
      );
    };
    const ca = { file: file.privateKey as KeyObject, token: make('sign', 'ca').signer };
    const text = new Uint8Array(400);
    const contenders = {
      openFile: () => each(batches, open(sealed.file, local)),
      openToken: () => each(batches, open(sealed.token, remote)),
      signFile: () => each(signatures, () => signDer(ca.file, text)),
      signToken: () => each(signatures, () => signDer(ca.token, text)),
      alone: () => each(signatures, () => agreeAlone(file.privateKey)),
    };
    const costs: Record<keyof typeof contenders, number[]> = {
      openFile: [],
      openToken: [],
      signFile: [],
      signToken: [],
      alone: [],
    };
    progress('openings and signatures, one after the other');
    for (let turn = -1; turn < turns; turn++)
      for (const [name, run] of Object.entries(contenders)) {
        const cost = await run();
        if (turn >= 0) costs[name as keyof typeof costs].push(cost);
      }
    await pool.close();
    await closeTokens();
    soft.remove();
    const of = (name: keyof typeof costs): number => median(costs[name]);
    const aSecond = (name: keyof typeof costs, many = 1): number => round((many * 1_000) / of(name), 0);
    return {
      ratios: [
        {
          name: OPENED,
          value: round(of('openFile') / of('openToken'), 2),
        },
        {
          name: 'signatures of a CA in a token to those of one in a file',
          value: round(of('signFile') / of('signToken'), 2),
        },
      ],
      figures: [
        { name: 'uplinks opened, key in a file', value: aSecond('openFile', BATCH), unit: 'a second' },
        {
          name: 'uplinks opened, key in a token, two threads',
          value: aSecond('openToken', BATCH),
          unit: 'a second',
        },
        { name: 'signatures, key in a file', value: aSecond('signFile'), unit: 'a second' },
        { name: 'signatures, key in a token, waited for', value: aSecond('signToken'), unit: 'a second' },
        { name: 'bare ECDH', value: aSecond('alone'), unit: 'a second' },
      ],
      absent: [],
      notes: [
        'SoftHSM2 computes in this process with the same OpenSSL: what a real HSM adds is its own time and the way to it.',
        'Openings: 32 at a time, as they come at load, in one process with two threads for the token.',
      ],
      details: { costsMs: costs },
    };
  },
};

const other = createECDH('prime256v1');
const point = Buffer.concat([
  Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
  other.generateKeys(),
]);
const agreeAlone = (privateKey: KeyObject): Uint8Array =>
  diffieHellman({ privateKey, publicKey: { key: point, format: 'der', type: 'spki' } });
