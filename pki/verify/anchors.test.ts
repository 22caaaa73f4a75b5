import { describe, expect, it } from 'vitest';
import {
  authorityFromLeaf,
  FLUVIUS,
  makeIssuing,
  makeLeaf,
  makeRoot,
  NOW_MS,
  ORES,
  profileWith,
} from '../testing/field.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { certify } from '../x509/certify.ts';
import { FIELD_ROOT_URI } from '../x509/names.ts';
import { toPem } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';
import { hasProfile, pinAuthorities } from './anchors.ts';

const root = makeRoot();
const ores = makeIssuing(root, ORES);
const code = (name: string) => expect.objectContaining({ code: name });
const pinning =
  (certificate: string | Uint8Array, under: string | Uint8Array = root.certificatePem) =>
  () =>
    pinAuthorities({ root: under, issuers: [{ tenant: ORES, certificate }] });

describe('pinning an issuing CA', () => {
  it.each([
    { name: 'under another root', make: () => makeIssuing(makeRoot(), ORES) },
    { name: 'of another tenant', make: () => makeIssuing(root, FLUVIUS) },
    {
      name: 'that names two tenants',
      make: () =>
        makeIssuing(root, ORES, { names: { uris: ['urn:hes:ores:issuing', 'urn:hes:fluvius:issuing'] } }),
    },
    {
      name: 'with CA:FALSE',
      make: () => makeIssuing(root, ORES, { profile: profileWith(PROFILES.issuing, { pathLength: null }) }),
    },
    {
      name: 'that may have CAs below it',
      make: () => makeIssuing(root, ORES, { profile: profileWith(PROFILES.issuing, { pathLength: 1 }) }),
    },
    {
      name: 'without the right to sign certificates',
      make: () =>
        makeIssuing(root, ORES, {
          profile: profileWith(PROFILES.issuing, { keyUsage: ['digitalSignature'] }),
        }),
    },
    { name: "that is the head-end's", make: () => makeIssuing(root, ORES, { profile: PROFILES.headEnd }) },
    { name: 'that another issuing CA signed', make: () => makeIssuing(ores, ORES) },
    { name: 'that a device signed', make: () => makeIssuing(authorityFromLeaf(makeLeaf(ores)), ORES) },
    { name: 'that is the root itself', make: () => root },
  ])('is refused $name', ({ make }) => {
    expect(pinning(make().certificatePem)).toThrow(code('ERR_TRUST_AUTHORITY'));
  });

  it('is refused twice with one key', () => {
    const issuer = { tenant: ORES, certificate: ores.certificatePem };
    expect(() => pinAuthorities({ root: root.certificatePem, issuers: [issuer, issuer] })).toThrow(
      code('ERR_TRUST_AUTHORITY'),
    );
  });

  it.each([
    { name: 'an issuing CA', pem: ores.certificatePem },
    { name: 'a device', pem: makeLeaf(ores).pem },
    {
      name: 'a root that another root of the same name signed',
      pem: makeLeaf(makeRoot(), {
        profile: PROFILES.root,
        subject: { organization: 'HES', commonName: FIELD_ROOT_URI },
        names: {},
      }).pem,
    },
    {
      name: 'a root that names another issuer than itself',
      pem: toPem(
        'CERTIFICATE',
        certify(
          { ...root, certificate: { ...root.certificate, subjectName: ores.certificate.subjectName } },
          {
            profile: PROFILES.root,
            subject: { organization: 'HES', commonName: FIELD_ROOT_URI },
            names: {},
            spki: root.certificate.spki,
            notBeforeMs: NOW_MS,
          },
        ),
      ),
    },
    { name: 'a self-signed end entity', pem: makeRoot({ profile: PROFILES.deviceSign }).certificatePem },
  ])('is refused under $name as root', ({ pem }) => {
    expect(pinning(ores.certificatePem, pem)).toThrow(code('ERR_TRUST_ROOT'));
  });

  it('is refused for text that is no certificate', () => {
    expect(pinning('hello')).toThrow(code('ERR_TRUST_MALFORMED'));
    expect(pinning(Buffer.from('hello'))).toThrow(code('ERR_TRUST_MALFORMED'));
  });

  it('is refused under a development root unless development is said', () => {
    const development = makeRoot({ development: true });
    const issuer = { tenant: ORES, certificate: makeIssuing(development, ORES).certificatePem };
    const options = { root: development.certificatePem, issuers: [issuer] };
    expect(() => pinAuthorities(options)).toThrow(code('ERR_TRUST_DEVELOPMENT'));
    expect(() => pinAuthorities({ ...options, development: false })).toThrow(code('ERR_TRUST_DEVELOPMENT'));
    expect(pinAuthorities({ ...options, development: true }).authorities.size).toBe(1);
  });

  it('takes PEM and DER alike', () => {
    expect(pinning(ores.certificatePem)().authorities.size).toBe(1);
    expect(pinning(ores.certificate.der, root.certificate.der)().authorities.size).toBe(1);
  });
});

describe('a profile', () => {
  it('of an end entity is not that of a CA without a bound on its depth', () => {
    const certificate = parseCertificate(makeLeaf(ores).der);
    const unbound = { ...certificate, basicConstraints: { ca: true, pathLength: null } };
    expect(hasProfile(certificate, PROFILES.deviceSign)).toBe(true);
    expect(hasProfile(unbound, PROFILES.deviceSign)).toBe(false);
    expect(hasProfile({ ...certificate, basicConstraints: null }, PROFILES.deviceSign)).toBe(false);
  });
});
