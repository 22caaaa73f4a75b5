import { createPrivateKey, createPublicKey, type webcrypto } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openEncrypt, openMac, openSign, openSign1, type VectorKeys } from '../testing/cose-open.ts';

/**
 * The public test vectors of the COSE working group, where the folder stands beside the checkout. What must hold
 * at all times is in rfc.test.ts.
 */
const FOLDER = fileURLToPath(new URL('../../../shared/cose-vectors/', import.meta.url));
const GROUPS = ['sign1-tests', 'ecdh-direct', 'enveloped-tests', 'hkdf'] as const;
/** Not in every copy of them. */
const GROUPS_AT_TIMES = ['sign-tests'] as const;

type JsonWebKey = webcrypto.JsonWebKey;

/** What a refusal says: anything else that is thrown would be a fault of ours. */
const REFUSAL = /the CBOR tag|an algorithm of no table|does not hold|does not open/;

interface Recipient {
  readonly key: JsonWebKey;
  readonly sender_key?: JsonWebKey;
}
interface Layer {
  readonly external?: string;
  readonly recipients: readonly [Recipient];
}
interface Vector {
  readonly title: string;
  readonly fail?: boolean;
  readonly input: {
    readonly plaintext: string;
    readonly enveloped?: Layer;
    readonly mac?: Layer;
    readonly sign?: { readonly signers: readonly [{ readonly key: JsonWebKey; readonly external?: string }] };
    readonly sign0?: { readonly external?: string; readonly key: JsonWebKey };
  };
  readonly output: { readonly cbor: string };
}

function keysOf(key: JsonWebKey): VectorKeys {
  if (key.kty === 'oct') return { shared: Buffer.from(key.k!, 'base64url') };
  return { privateKey: createPrivateKey({ key, format: 'jwk' }) };
}

function open({ input, output }: Vector): Uint8Array {
  const bytes = Buffer.from(output.cbor, 'hex');
  const aad = (layer: { readonly external?: string }): Buffer => Buffer.from(layer.external ?? '', 'hex');
  const { sign, sign0, enveloped, mac } = input;
  if (sign !== undefined) {
    const [signer] = sign.signers;
    const tagged = bytes[0] === 0x84 ? Buffer.concat([Uint8Array.of(0xd8, 98), bytes]) : bytes;
    return openSign(tagged, [createPublicKey({ key: signer.key, format: 'jwk' })], aad(signer));
  }
  if (sign0 !== undefined) {
    // One vector is without its tag, which this reader always asks for.
    const tagged = bytes[0] === 0x84 ? Buffer.concat([Uint8Array.of(0xd2), bytes]) : bytes;
    return openSign1(tagged, createPublicKey({ key: sign0.key, format: 'jwk' }), aad(sign0));
  }
  if (enveloped !== undefined) return openEncrypt(bytes, keysOf(enveloped.recipients[0].key), aad(enveloped));
  return openMac(bytes, keysOf(mac!.recipients[0].key), aad(mac!));
}

describe.skipIf(!existsSync(FOLDER))('the COSE working group’s vectors', () => {
  const files = existsSync(FOLDER)
    ? [...GROUPS, ...GROUPS_AT_TIMES.filter((group) => existsSync(`${FOLDER}${group}`))].flatMap((group) =>
        readdirSync(`${FOLDER}${group}`)
          .filter((name) => name.endsWith('.json'))
          .map((name) => `${group}/${name}`),
      )
    : [];

  it('are all there: positive ones and negative ones of every group', () => {
    expect(files.length).toBeGreaterThan(20);
  });

  it.each(files)('%s', (file) => {
    const vector = JSON.parse(readFileSync(`${FOLDER}${file}`, 'utf8')) as Vector;
    if (vector.fail === true) expect(() => open(vector)).toThrow(REFUSAL);
    else expect(Buffer.from(open(vector)).toString()).toBe(vector.input.plaintext);
  });
});
