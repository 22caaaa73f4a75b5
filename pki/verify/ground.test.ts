import { describe, expect, it } from 'vitest';
import { DAY_MS, DEVICE, makeIssuing, makeLeaf, makeRoot, NOW_MS, ORES } from '../testing/field.ts';
import { parseCertificate } from '../x509/certificate.ts';
import type { SigningAuthority } from '../x509/certify.ts';
import { makeCrl } from '../x509/crl.ts';
import { createDeviceTrust } from './device-trust.ts';

const root = makeRoot();
const old = makeIssuing(root, ORES);
const next = makeIssuing(root, ORES);
const foreign = makeIssuing(makeRoot(), ORES);
const ofOld = makeLeaf(old);
const ofNext = makeLeaf(next);

const pinned = (...cas: readonly SigningAuthority[]) =>
  cas.map((ca) => ({ tenant: ORES, certificate: ca.certificatePem }));
const listOf = (ca: SigningAuthority, serials: readonly string[] = [], number = 1n) =>
  makeCrl(ca, {
    number,
    thisUpdateMs: NOW_MS - DAY_MS,
    nextUpdateMs: NOW_MS + DAY_MS,
    entries: serials.map((serial) => ({ serial, atMs: NOW_MS, reason: 'keyCompromise' })),
  });
const serialOf = ({ der }: { readonly der: Uint8Array }): string => parseCertificate(der).serial;

const trustOf = () =>
  createDeviceTrust({
    tenant: ORES,
    root: root.certificatePem,
    issuers: pinned(old, next),
    crls: [listOf(old), listOf(next)],
  });
const asked = { device: DEVICE, atMs: NOW_MS };
const code = (name: string) => expect.objectContaining({ code: name });

describe('the ground of a trust', () => {
  it('whose CA is gone believes nobody of it, whoever was believed a moment ago', () => {
    const trust = trustOf();
    trust.signer(ofOld.der, asked);
    trust.replace({ issuers: pinned(next), crls: [listOf(next)] });
    expect(() => trust.signer(ofOld.der, asked)).toThrow(code('ERR_TRUST_ISSUER'));
    expect(() => trust.signer(ofNext.der, asked)).not.toThrow();
    expect(trust.endings.filter(({ kind }) => kind === 'list')).toHaveLength(1);
  });

  it('believes a CA from when it is pinned', () => {
    const trust = createDeviceTrust({ tenant: ORES, root: root.certificatePem, issuers: pinned(old) });
    expect(() => trust.signer(ofNext.der, asked)).toThrow(code('ERR_TRUST_ISSUER'));
    trust.replace({ issuers: pinned(old, next) });
    expect(() => trust.signer(ofNext.der, asked)).not.toThrow();
    expect(() => trust.signer(ofOld.der, asked)).not.toThrow();
  });

  it('refuses whom a new list names, also where he is remembered', () => {
    const trust = trustOf();
    trust.signer(ofOld.der, asked);
    trust.replaceCrls([listOf(old, [serialOf(ofOld)], 2n), listOf(next)]);
    expect(() => trust.signer(ofOld.der, asked)).toThrow(code('ERR_TRUST_REVOKED'));
    expect(() => trust.signer(ofNext.der, asked)).not.toThrow();
  });

  it.each([
    {
      what: 'a CA under another root',
      given: { issuers: pinned(next, foreign), crls: [listOf(next)] },
      error: 'ERR_TRUST_AUTHORITY',
    },
    {
      what: 'without the list of a CA that stays',
      given: { issuers: pinned(old, next), crls: [listOf(next)] },
      error: 'ERR_TRUST_CRL',
    },
    {
      what: 'with a list that is older than the one in use',
      given: { issuers: pinned(next), crls: [listOf(next, [], 0n)] },
      error: 'ERR_TRUST_CRL',
    },
  ])('stays what it was where it cannot be replaced: $what', ({ given, error }) => {
    const trust = trustOf();
    expect(() => trust.replace(given)).toThrow(code(error));
    expect(() => trust.signer(ofOld.der, asked)).not.toThrow();
    expect(() => trust.signer(ofNext.der, asked)).not.toThrow();
    expect(trust.endings.filter(({ kind }) => kind === 'list')).toHaveLength(2);
  });
});
