import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { pointOfKey } from './cose/p256.ts';
import { openUplink, readSigner, sealUplink, verifyUplink } from './envelope.ts';
import type { DeviceId, TenantId } from './identity.ts';

describe('the envelope', () => {
  it('opens and verifies what was sealed', () => {
    const op = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const dev = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const binding = {
      tenant: 'ores' as TenantId,
      device: '0123456789abcdef' as DeviceId,
      kind: 'index',
    } as const;
    const kid = randomBytes(8);
    const payload = randomBytes(500);
    const certificate = randomBytes(500);
    const { sealed, receiptKey } = sealUplink({
      payload,
      binding,
      recipient: { kid, publicKey: pointOfKey(op.publicKey) },
      signer: { privateKey: dev.privateKey, certificate },
    });
    const opened = openUplink({ sealed, binding, keys: [{ kid, privateKey: op.privateKey }] });
    expect(Buffer.from(opened.receiptKey)).toEqual(Buffer.from(receiptKey));
    expect(Buffer.from(readSigner(opened.signed))).toEqual(certificate);
    expect(Buffer.from(verifyUplink({ signed: opened.signed, binding, publicKey: dev.publicKey }))).toEqual(
      payload,
    );
  });
});
