import {
  createPublicKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  hash,
  type KeyObject,
} from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { byteString } from './cbor/shape.ts';
import { AEADS, ALG } from './cose/algorithms.ts';
import { openUplink, sealUplink, verifyUplink } from './envelope.ts';
import { type Agreement, SUITES, suite } from './suites.ts';
import { SAMPLE_DEVICE, SAMPLE_TENANT, sampleOperator, sampleSigner } from './testing/samples.ts';

/**
 * The row that is foreseen, as a proof that a row is all it takes: X25519 beside ML-KEM-768. Not a standard:
 * the real one waits for COSE's numbers, and takes its combiner from there.
 */
const X25519_BYTES = 32;
const ML_KEM_KEY_BYTES = 1_184;
const ML_KEM_SENT_BYTES = 1_088;
const SENT_BYTES = X25519_BYTES + ML_KEM_SENT_BYTES;
/** Private use (RFC 9052 §11.4.2 leaves what is below -65536). */
const ALG_PRIVATE = -70_000;
const LABEL_ENCAPSULATED = -4;

const raw = (key: Uint8Array, asymmetricKeyType: 'x25519' | 'ml-kem-768'): KeyObject =>
  createPublicKey({ key: Buffer.from(key), format: 'raw-public', asymmetricKeyType });
const rawOf = (key: KeyObject): Buffer => key.export({ format: 'raw-public' });

const combine = (classic: Uint8Array, lattice: Uint8Array, sent: Uint8Array): Uint8Array =>
  hash('sha3-256', Buffer.concat([classic, lattice, sent]), 'buffer');

const HYBRID: Agreement = {
  alg: ALG_PRIVATE,
  label: LABEL_ENCAPSULATED,
  publicKeyBytes: X25519_BYTES + ML_KEM_KEY_BYTES,
  sentShape: byteString(SENT_BYTES, SENT_BYTES),
  isSent: ({ length }) => length === SENT_BYTES,
  encapsulate(publicKey) {
    const ephemeral = generateKeyPairSync('x25519');
    const classic = diffieHellman({
      privateKey: ephemeral.privateKey,
      publicKey: raw(publicKey.subarray(0, X25519_BYTES), 'x25519'),
    });
    const { sharedKey, ciphertext } = encapsulate(raw(publicKey.subarray(X25519_BYTES), 'ml-kem-768'));
    const sent = Buffer.concat([rawOf(ephemeral.publicKey), ciphertext]);
    return { secret: combine(classic, sharedKey, sent), sent };
  },
  decapsulate(privateKey, sent) {
    if (!('length' in privateKey)) return undefined;
    const [classicKey, latticeKey] = privateKey;
    const publicKey = raw(sent.subarray(0, X25519_BYTES), 'x25519');
    const classic = diffieHellman({ privateKey: classicKey!, publicKey });
    return combine(classic, decapsulate(latticeKey!, sent.subarray(X25519_BYTES)), sent);
  },
};

const suites = [...SUITES, suite('x25519-mlkem768-a256gcm', HYBRID, AEADS.get(ALG.A256GCM)!)];
const binding = { tenant: SAMPLE_TENANT, device: SAMPLE_DEVICE, kind: 'index' } as const;
const payload = Buffer.from('a reading');

function hybridOperator(): Pick<ReturnType<typeof sampleOperator>, 'recipient' | 'key'> {
  const classic = generateKeyPairSync('x25519');
  const lattice = generateKeyPairSync('ml-kem-768');
  const kid = Buffer.from('5566778899aabbcc', 'hex');
  return {
    recipient: {
      kid,
      publicKey: Buffer.concat([rawOf(classic.publicKey), rawOf(lattice.publicKey)]),
      suite: 'x25519-mlkem768-a256gcm',
    },
    key: { kid, privateKey: [classic.privateKey, lattice.privateKey] },
  };
}

describe('another suite', () => {
  const { signer, publicKey } = sampleSigner();
  const hybrid = hybridOperator();
  const classic = sampleOperator();

  it('is refused by a side that does not have its row', () => {
    const { sealed } = sealUplink({ payload, binding, recipient: hybrid.recipient, signer, suites });
    expect(() => openUplink({ sealed, binding, keys: [hybrid.key] })).toThrow(
      expect.objectContaining({ code: 'ERR_ENVELOPE_SUITE' }),
    );
    expect(() => sealUplink({ payload, binding, recipient: hybrid.recipient, signer })).toThrow(
      expect.objectContaining({ code: 'ERR_ENVELOPE_RECIPIENT' }),
    );
  });

  it('does not open with the key of the other suite, whatever its name', () => {
    const { sealed } = sealUplink({ payload, binding, recipient: hybrid.recipient, signer, suites });
    const keys = [{ kid: hybrid.key.kid, privateKey: classic.key.privateKey }];
    expect(() => openUplink({ sealed, binding, keys, suites })).toThrow(
      expect.objectContaining({ code: 'ERR_ENVELOPE_AGREEMENT' }),
    );
  });

  it('is one row of the table: callers pass what the operator published, and nothing else changes', () => {
    const keys = [classic.key, hybrid.key];
    for (const recipient of [classic.recipient, hybrid.recipient]) {
      const { sealed, receiptKey } = sealUplink({ payload, binding, recipient, signer, suites });
      const opened = openUplink({ sealed, binding, keys, suites });
      expect(Buffer.from(opened.receiptKey)).toEqual(Buffer.from(receiptKey));
      expect(Buffer.from(verifyUplink({ signed: opened.signed, binding, publicKey }))).toEqual(payload);
    }
  });
});
