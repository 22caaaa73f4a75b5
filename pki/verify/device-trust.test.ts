import { describe, expect, it } from 'vitest';
import { deviceUri } from '../../protocol/identity.ts';
import {
  authorityFromLeaf,
  DAY_MS,
  DEVICE,
  FARYS,
  FLUVIUS,
  makeIssuing,
  makeLeaf,
  makeRoot,
  NOW_MS,
  ORES,
  OTHER_DEVICE,
  profileWith,
} from '../testing/field.ts';
import { parseCertificate } from '../x509/certificate.ts';
import type { SigningAuthority } from '../x509/certify.ts';
import { makeCrl } from '../x509/crl.ts';
import { PROFILES } from '../x509/profiles.ts';
import { createDeviceTrust, type DeviceTrustOptions } from './device-trust.ts';

const root = makeRoot();
const ores = makeIssuing(root, ORES);
const fluvius = makeIssuing(root, FLUVIUS);
const farys = makeIssuing(root, FARYS);

const pin = (tenant: typeof ORES, authority: SigningAuthority) => ({
  tenant,
  certificate: authority.certificatePem,
});
const trustOf = (changes: Partial<DeviceTrustOptions> = {}) =>
  createDeviceTrust({ tenant: ORES, root: root.certificatePem, issuers: [pin(ORES, ores)], ...changes });
const sent = { device: DEVICE, atMs: NOW_MS };
const code = (name: string) => expect.objectContaining({ code: name });
const crlOf = (
  authority: SigningAuthority,
  serials: readonly string[],
  number = 1n,
  nextUpdateMs = NOW_MS + DAY_MS,
) =>
  makeCrl(authority, {
    number,
    thisUpdateMs: NOW_MS - DAY_MS,
    nextUpdateMs,
    entries: serials.map((serial) => ({ serial, atMs: NOW_MS - DAY_MS, reason: 'keyCompromise' })),
  });

/** Everything that a signature certificate can be wrong in, and the one reason that it must be refused for. */
const WRONG: readonly { readonly name: string; readonly code: string; readonly der: () => Uint8Array }[] = [
  {
    name: 'that has expired',
    code: 'ERR_TRUST_EXPIRED',
    der: () => makeLeaf(ores, { notAfterMs: NOW_MS - 1_000 }).der,
  },
  {
    name: 'that is not valid yet',
    code: 'ERR_TRUST_NOT_YET_VALID',
    der: () => makeLeaf(ores, { notBeforeMs: NOW_MS + 1_000 }).der,
  },
  {
    name: 'of the TLS profile',
    code: 'ERR_TRUST_PROFILE',
    der: () => makeLeaf(ores, { profile: PROFILES.deviceTls }).der,
  },
  {
    name: 'of the key agreement profile',
    code: 'ERR_TRUST_PROFILE',
    der: () => makeLeaf(ores, { profile: PROFILES.deviceAgree }).der,
  },
  {
    name: 'with the right key usage and no purpose at all',
    code: 'ERR_TRUST_PROFILE',
    der: () => makeLeaf(ores, { profile: profileWith(PROFILES.deviceSign, { purposes: [] }) }).der,
  },
  {
    name: 'with a purpose too many',
    code: 'ERR_TRUST_PROFILE',
    der: () =>
      makeLeaf(ores, {
        profile: profileWith(PROFILES.deviceSign, { purposes: ['deviceSignature', 'clientAuth'] }),
      }).der,
  },
  {
    name: 'with a key usage too many',
    code: 'ERR_TRUST_PROFILE',
    der: () =>
      makeLeaf(ores, {
        profile: profileWith(PROFILES.deviceSign, { keyUsage: ['digitalSignature', 'keyAgreement'] }),
      }).der,
  },
  {
    name: 'that is a CA',
    code: 'ERR_TRUST_PROFILE',
    der: () => makeLeaf(ores, { profile: profileWith(PROFILES.deviceSign, { pathLength: 0 }) }).der,
  },
  {
    name: 'of an issuing CA under another root',
    code: 'ERR_TRUST_ISSUER',
    der: () => makeLeaf(makeIssuing(makeRoot(), ORES)).der,
  },
  {
    name: 'of an issuing CA under another root that copies the name and key identifier of the right one',
    code: 'ERR_TRUST_SIGNATURE',
    der: () => {
      const stranger = makeIssuing(makeRoot(), ORES);
      return makeLeaf({ ...stranger, certificate: ores.certificate }).der;
    },
  },
  {
    name: "that the right key signed in another CA's name",
    code: 'ERR_TRUST_ISSUER',
    der: () => {
      const { subjectName } = fluvius.certificate;
      return makeLeaf({ ...ores, certificate: { ...ores.certificate, subjectName } }).der;
    },
  },
  {
    name: 'of an unpinned issuing CA of this tenant under the right root',
    code: 'ERR_TRUST_ISSUER',
    der: () => makeLeaf(makeIssuing(root, ORES)).der,
  },
  {
    name: 'that the root itself issued',
    code: 'ERR_TRUST_ISSUER',
    der: () => makeLeaf(root).der,
  },
  {
    name: "of another tenant's CA whose guests are not trusted",
    code: 'ERR_TRUST_ISSUER',
    der: () =>
      makeLeaf(fluvius, { names: { uris: [deviceUri(FLUVIUS, DEVICE), deviceUri(ORES, DEVICE)] } }).der,
  },
  {
    name: 'that a device issued with its own certificate',
    code: 'ERR_TRUST_ISSUER',
    der: () => makeLeaf(authorityFromLeaf(makeLeaf(ores))).der,
  },
  {
    name: 'that an intermediate below the issuing CA issued',
    code: 'ERR_TRUST_ISSUER',
    der: () => makeLeaf(makeIssuing(ores, ORES)).der,
  },
  {
    name: 'that is self-signed',
    code: 'ERR_TRUST_ISSUER',
    der: () => makeRoot({ profile: PROFILES.deviceSign, subject: { commonName: DEVICE } }).certificate.der,
  },
  {
    name: 'whose names lack the home tenant',
    code: 'ERR_TRUST_IDENTITY',
    der: () => makeLeaf(ores, { names: { uris: [deviceUri(FLUVIUS, DEVICE)] } }).der,
  },
  {
    name: 'whose SAN is of another device than its CN',
    code: 'ERR_TRUST_IDENTITY',
    der: () => makeLeaf(ores, { names: { uris: [deviceUri(ORES, OTHER_DEVICE)] } }).der,
  },
  {
    name: 'whose guest SAN is of another device',
    code: 'ERR_TRUST_IDENTITY',
    der: () =>
      makeLeaf(ores, { names: { uris: [deviceUri(ORES, DEVICE), deviceUri(FARYS, OTHER_DEVICE)] } }).der,
  },
  {
    name: 'that names its home twice',
    code: 'ERR_TRUST_IDENTITY',
    der: () => makeLeaf(ores, { names: { uris: [deviceUri(ORES, DEVICE), deviceUri(ORES, DEVICE)] } }).der,
  },
  {
    name: 'that carries a DNS name beside',
    code: 'ERR_TRUST_IDENTITY',
    der: () => makeLeaf(ores, { names: { uris: [deviceUri(ORES, DEVICE)], dns: ['localhost'] } }).der,
  },
  {
    name: 'that carries a foreign URI beside',
    code: 'ERR_TRUST_IDENTITY',
    der: () => makeLeaf(ores, { names: { uris: [deviceUri(ORES, DEVICE), 'urn:hes:ores:issuing'] } }).der,
  },
  {
    name: 'without any name',
    code: 'ERR_TRUST_IDENTITY',
    der: () => makeLeaf(ores, { names: {} }).der,
  },
  {
    name: 'whose CN is no device id',
    code: 'ERR_TRUST_IDENTITY',
    der: () => makeLeaf(ores, { subject: { commonName: DEVICE.toUpperCase() } }).der,
  },
  {
    name: 'with one bit of its signature changed',
    code: 'ERR_TRUST_SIGNATURE',
    der: () => flipped(makeLeaf(ores).der, -1),
  },
  {
    name: 'with its device id changed after signing',
    code: 'ERR_TRUST_SIGNATURE',
    der: () => {
      const der = Buffer.from(makeLeaf(ores).der);
      for (let at = der.indexOf(DEVICE); at >= 0; at = der.indexOf(DEVICE)) der.write(OTHER_DEVICE, at);
      return der;
    },
  },
  {
    name: 'with a byte after its end',
    code: 'ERR_TRUST_MALFORMED',
    der: () => Buffer.concat([makeLeaf(ores).der, Buffer.of(0)]),
  },
  {
    name: 'that is cut short',
    code: 'ERR_TRUST_MALFORMED',
    der: () => makeLeaf(ores).der.subarray(0, -1),
  },
  {
    name: 'that is 5 kB of zeros',
    code: 'ERR_TRUST_MALFORMED',
    der: () => new Uint8Array(5_000),
  },
];

function flipped(der: Uint8Array, at: number): Uint8Array {
  const changed = Buffer.from(der);
  const index = at < 0 ? changed.length + at : at;
  changed[index] = changed[index]! ^ 1;
  return changed;
}

describe('a signature certificate', () => {
  it.each(WRONG)('is refused $name', ({ der, code: expected }) => {
    const trust = trustOf();
    const bytes = der();
    for (let time = 0; time < 2; time += 1) expect(() => trust.signer(bytes, sent)).toThrow(code(expected));
  });

  it("is refused when it is another device's", () => {
    expect(() => trustOf().signer(makeLeaf(ores).der, { ...sent, device: OTHER_DEVICE })).toThrow(
      code('ERR_TRUST_DEVICE'),
    );
  });

  it('is refused when it is revoked', () => {
    const { der } = makeLeaf(ores);
    const trust = trustOf({ crls: [crlOf(ores, [parseCertificate(der).serial])] });
    expect(() => trust.signer(der, sent)).toThrow(code('ERR_TRUST_REVOKED'));
  });

  it('is refused while the revocation list of its issuer is stale', () => {
    const trust = trustOf({ crls: [crlOf(ores, [], 1n, NOW_MS - 1_000)] });
    expect(() => trust.signer(makeLeaf(ores).der, sent)).toThrow(code('ERR_TRUST_CRL_STALE'));
  });

  it.each([
    { name: 'the issuing CA', rootEndMs: NOW_MS + DAY_MS, issuingEndMs: NOW_MS },
    { name: 'the root', rootEndMs: NOW_MS, issuingEndMs: NOW_MS + DAY_MS },
  ])('is refused after $name has expired, whatever it says of itself', ({ rootEndMs, issuingEndMs }) => {
    const endless = (authority: SigningAuthority): SigningAuthority => ({
      ...authority,
      certificate: { ...authority.certificate, notAfterMs: Number.POSITIVE_INFINITY },
    });
    const shortRoot = makeRoot({ notAfterMs: rootEndMs });
    const issuing = makeIssuing(endless(shortRoot), ORES, { notAfterMs: issuingEndMs });
    const trust = trustOf({ root: shortRoot.certificatePem, issuers: [pin(ORES, issuing)] });
    const { der } = makeLeaf(endless(issuing), { notAfterMs: NOW_MS + DAY_MS });
    expect(trust.signer(der, sent)).toBeDefined();
    expect(() => trust.signer(der, { ...sent, atMs: NOW_MS + 1 })).toThrow(code('ERR_TRUST_EXPIRED'));
  });

  it('is taken of a device of this tenant, with the key that it signs with', () => {
    const leaf = makeLeaf(ores);
    const key = trustOf().signer(leaf.der, sent);
    expect(key.type).toBe('public');
    expect(key.export({ type: 'spki', format: 'der' })).toEqual(Buffer.from(parseCertificate(leaf.der).spki));
  });
});

describe('a guest device', () => {
  const trusting = () => trustOf({ tenant: FARYS, issuers: [pin(FARYS, farys), pin(FLUVIUS, fluvius)] });

  it('is refused when its certificate does not name this tenant', () => {
    const { der } = makeLeaf(fluvius, { names: { uris: [deviceUri(FLUVIUS, DEVICE)] } });
    expect(() => trusting().signer(der, sent)).toThrow(code('ERR_TRUST_TENANT'));
  });

  it("is refused when another tenant's CA issued it as if it were at home here", () => {
    const { der } = makeLeaf(fluvius, { names: { uris: [deviceUri(FARYS, DEVICE)] } });
    expect(() => trusting().signer(der, sent)).toThrow(code('ERR_TRUST_IDENTITY'));
  });

  it('is taken when its issuer is trusted for guests and its certificate names this tenant', () => {
    const { der } = makeLeaf(fluvius, {
      names: { uris: [deviceUri(FLUVIUS, DEVICE), deviceUri(FARYS, DEVICE)] },
    });
    expect(trusting().signer(der, sent).type).toBe('public');
  });
});

describe('the cache of verified signers', () => {
  it('does not outlive the certificate, a revocation or another device', () => {
    const { der } = makeLeaf(ores, { notAfterMs: NOW_MS + 1_000 });
    const trust = trustOf({ crls: [crlOf(ores, [])] });
    const key = trust.signer(der, sent);
    expect(trust.signer(der, sent)).toBe(key);
    expect(() => trust.signer(der, { ...sent, device: OTHER_DEVICE })).toThrow(code('ERR_TRUST_DEVICE'));
    expect(() => trust.signer(der, { ...sent, atMs: NOW_MS + 2_000 })).toThrow(code('ERR_TRUST_EXPIRED'));
    trust.replaceCrls([crlOf(ores, [parseCertificate(der).serial], 2n)]);
    expect(() => trust.signer(der, sent)).toThrow(code('ERR_TRUST_REVOKED'));
  });

  it('forgets the longest unused beyond its bound and verifies it again', () => {
    const trust = trustOf({ signersMax: 2 });
    const [first, second, third] = [makeLeaf(ores), makeLeaf(ores), makeLeaf(ores)];
    const keyOf = (leaf: typeof first) => trust.signer(leaf.der, sent);
    const kept = keyOf(first);
    const dropped = keyOf(second);
    expect(keyOf(first)).toBe(kept);
    keyOf(third);
    expect(keyOf(first)).toBe(kept);
    expect(keyOf(second)).not.toBe(dropped);
    expect(keyOf(second).equals(dropped)).toBe(true);
  });
});
