import { describe, expect, it } from 'vitest';
import {
  authorityFromLeaf,
  DAY_MS,
  DEVICE,
  FLUVIUS,
  makeIssuing,
  makeLeaf,
  makeRoot,
  NOW_MS,
  ORES,
  profileWith,
} from '../testing/field.ts';
import { ANN, makeOfficeIssuing, makeOfficeRoot, makePerson, PERSON } from '../testing/office.ts';
import type { PinnedIssuer } from '../verify/anchors.ts';
import { parseCertificate } from '../x509/certificate.ts';
import type { SigningAuthority } from '../x509/certify.ts';
import { makeCrl } from '../x509/crl.ts';
import { deskUri, personUri } from '../x509/names.ts';
import { PROFILES } from '../x509/profiles.ts';
import { createOfficeTrust, type OfficeTrustOptions } from './trust.ts';

const root = makeOfficeRoot();
const ores = makeOfficeIssuing(root, ORES);
const fluvius = makeOfficeIssuing(root, FLUVIUS);
const pin = (tenant: typeof ORES, { certificatePem }: SigningAuthority): PinnedIssuer => ({
  tenant,
  certificate: certificatePem,
});
const trustOf = (changes: Partial<OfficeTrustOptions> = {}) =>
  createOfficeTrust({
    root: root.certificatePem,
    issuers: [pin(ORES, ores)],
    clock: { nowMs: () => NOW_MS },
    ...changes,
  });
const code = (name: string) => expect.objectContaining({ code: name });
const crlOf = (serials: readonly string[], number = 1n, nextUpdateMs = NOW_MS + DAY_MS) =>
  makeCrl(ores, {
    number,
    thisUpdateMs: NOW_MS - DAY_MS,
    nextUpdateMs,
    entries: serials.map((serial) => ({ serial, atMs: NOW_MS - DAY_MS, reason: 'keyCompromise' })),
  });

/** A signature certificate, one thing of it changed. */
const signing = (changes: Parameters<typeof makePerson>[1], by = ores) => makePerson(by, changes).der;
const named = (uri: string, commonName = PERSON) =>
  signing({ names: { uris: [uri] }, subject: { commonName } });
const PERSONAL = PROFILES.personSign;

const WRONG: readonly { readonly name: string; readonly code: string; readonly der: () => Uint8Array }[] = [
  { name: 'that has expired', code: 'ERR_TRUST_EXPIRED', der: () => signing({ notAfterMs: NOW_MS - 1_000 }) },
  {
    name: 'that is not valid yet',
    code: 'ERR_TRUST_NOT_YET_VALID',
    der: () => signing({ notBeforeMs: NOW_MS + 1_000 }),
  },
  {
    name: 'for calling the API',
    code: 'ERR_TRUST_PROFILE',
    der: () => signing({ profile: PROFILES.personTls }),
  },
  {
    name: "of the desk's server",
    code: 'ERR_TRUST_PROFILE',
    der: () => signing({ profile: PROFILES.deskServer, names: { uris: [deskUri(ORES)] } }),
  },
  {
    name: 'for signatures of a device',
    code: 'ERR_TRUST_PROFILE',
    der: () => signing({ profile: PROFILES.deviceSign }),
  },
  {
    name: 'without any purpose',
    code: 'ERR_TRUST_PROFILE',
    der: () => signing({ profile: profileWith(PERSONAL, { purposes: [] }) }),
  },
  {
    name: 'with a purpose too many',
    code: 'ERR_TRUST_PROFILE',
    der: () => signing({ profile: profileWith(PERSONAL, { purposes: ['commandSignature', 'clientAuth'] }) }),
  },
  {
    name: 'with a key usage too many',
    code: 'ERR_TRUST_PROFILE',
    der: () => signing({ profile: profileWith(PERSONAL, { keyUsage: ['digitalSignature', 'keyCertSign'] }) }),
  },
  {
    name: 'that is a CA',
    code: 'ERR_TRUST_PROFILE',
    der: () => signing({ profile: profileWith(PERSONAL, { pathLength: 0 }) }),
  },
  {
    name: 'of an issuing CA under another office root',
    code: 'ERR_TRUST_ISSUER',
    der: () => signing({}, makeOfficeIssuing(makeOfficeRoot(), ORES)),
  },
  {
    name: 'of an issuing CA under another root that copies name and key identifier of the right one',
    code: 'ERR_TRUST_SIGNATURE',
    der: () => signing({}, { ...makeOfficeIssuing(makeOfficeRoot(), ORES), certificate: ores.certificate }),
  },
  {
    name: 'of the field CA of the same tenant',
    code: 'ERR_TRUST_ISSUER',
    der: () => signing({}, makeIssuing(makeRoot(), ORES)),
  },
  {
    name: 'of an unpinned issuing CA of this tenant under the right root',
    code: 'ERR_TRUST_ISSUER',
    der: () => signing({}, makeOfficeIssuing(root, ORES)),
  },
  {
    name: 'that the root itself issued',
    code: 'ERR_TRUST_ISSUER',
    der: () => signing({}, root),
  },
  {
    name: "of another tenant's office",
    code: 'ERR_TRUST_ISSUER',
    der: () =>
      signing(
        { names: { uris: [personUri({ tenant: FLUVIUS, role: 'operator', person: PERSON })] } },
        fluvius,
      ),
  },
  {
    name: "of another tenant's office, with a name of this one",
    code: 'ERR_TRUST_ISSUER',
    der: () => signing({}, fluvius),
  },
  {
    name: 'that a person issued with his own certificate',
    code: 'ERR_TRUST_ISSUER',
    der: () => signing({}, authorityFromLeaf(makePerson(ores))),
  },
  {
    name: 'that an intermediate below the issuing CA issued',
    code: 'ERR_TRUST_ISSUER',
    der: () => signing({}, makeOfficeIssuing(ores, ORES)),
  },
  {
    name: 'that is self-signed',
    code: 'ERR_TRUST_ISSUER',
    der: () =>
      makeOfficeRoot({ profile: PERSONAL, subject: { commonName: PERSON }, names: { uris: [ANN] } })
        .certificate.der,
  },
  {
    name: 'with a name of another tenant',
    code: 'ERR_TRUST_IDENTITY',
    der: () => named(personUri({ tenant: FLUVIUS, role: 'operator', person: PERSON })),
  },
  {
    name: 'with a role that there is none of',
    code: 'ERR_TRUST_IDENTITY',
    der: () => named('urn:hes:ores:office:director:ann'),
  },
  {
    name: 'whose role is a member that every object has',
    code: 'ERR_TRUST_IDENTITY',
    der: () => named('urn:hes:ores:office:constructor:ann'),
  },
  {
    name: 'without a role',
    code: 'ERR_TRUST_IDENTITY',
    der: () => named('urn:hes:ores:office:ann'),
  },
  {
    name: 'with something after the name',
    code: 'ERR_TRUST_IDENTITY',
    der: () => named(`${ANN}:approver`),
  },
  {
    name: 'with a name in capitals',
    code: 'ERR_TRUST_IDENTITY',
    der: () => named('urn:hes:ores:office:operator:Ann', 'Ann'),
  },
  {
    name: 'whose CN is somebody else',
    code: 'ERR_TRUST_IDENTITY',
    der: () => named(ANN, 'bea'),
  },
  {
    name: 'with two names',
    code: 'ERR_TRUST_IDENTITY',
    der: () => signing({ names: { uris: [ANN, 'urn:hes:ores:office:approver:ann'] } }),
  },
  {
    name: 'with a DNS name beside',
    code: 'ERR_TRUST_IDENTITY',
    der: () => signing({ names: { uris: [ANN], dns: ['localhost'] } }),
  },
  {
    name: 'with the name of a device',
    code: 'ERR_TRUST_IDENTITY',
    der: () => named(`urn:hes:ores:device:${DEVICE}`, DEVICE),
  },
  { name: 'without any name', code: 'ERR_TRUST_IDENTITY', der: () => signing({ names: {} }) },
  {
    name: 'with one bit of its signature changed',
    code: 'ERR_TRUST_SIGNATURE',
    der: () => {
      const der = Buffer.from(signing({}));
      der[der.length - 1]! ^= 1;
      return der;
    },
  },
  {
    name: 'with its role changed after signing',
    code: 'ERR_TRUST_SIGNATURE',
    der: () => {
      const der = Buffer.from(signing({}));
      der.write('approver', der.indexOf('operator'));
      return der;
    },
  },
  {
    name: 'with a byte after its end',
    code: 'ERR_TRUST_MALFORMED',
    der: () => Buffer.concat([signing({}), Buffer.of(0)]),
  },
  { name: 'that is cut short', code: 'ERR_TRUST_MALFORMED', der: () => signing({}).subarray(0, -1) },
  { name: 'that is 5 kB of zeros', code: 'ERR_TRUST_MALFORMED', der: () => new Uint8Array(5_000) },
  { name: 'of no bytes', code: 'ERR_TRUST_MALFORMED', der: () => new Uint8Array() },
];

describe('the signature certificate of a person', () => {
  it.each(WRONG)('is refused $name', ({ der, code: expected }) => {
    const trust = trustOf();
    const bytes = der();
    for (let time = 0; time < 2; time += 1) expect(() => trust.signer(bytes)).toThrow(code(expected));
  });

  it('is refused when it is revoked', () => {
    const { der } = makePerson(ores);
    const trust = trustOf({ crls: [crlOf([parseCertificate(der).serial])] });
    expect(() => trust.signer(der)).toThrow(code('ERR_TRUST_REVOKED'));
  });

  it('is refused while the revocation list of its office is stale', () => {
    expect(() => trustOf({ crls: [crlOf([], 1n, NOW_MS - 1_000)] }).signer(makePerson(ores).der)).toThrow(
      code('ERR_TRUST_CRL_STALE'),
    );
  });

  it.each([
    { name: 'the issuing CA', rootEndMs: NOW_MS + DAY_MS, issuingEndMs: NOW_MS - 1_000 },
    { name: 'the root', rootEndMs: NOW_MS - 1_000, issuingEndMs: NOW_MS + DAY_MS },
  ])('is refused after $name has expired, whatever it says of itself', ({ rootEndMs, issuingEndMs }) => {
    const endless = (authority: SigningAuthority): SigningAuthority => ({
      ...authority,
      certificate: { ...authority.certificate, notAfterMs: Number.POSITIVE_INFINITY },
    });
    const shortRoot = makeOfficeRoot({ notAfterMs: rootEndMs });
    const issuing = makeOfficeIssuing(endless(shortRoot), ORES, { notAfterMs: issuingEndMs });
    const trust = trustOf({ root: shortRoot.certificatePem, issuers: [pin(ORES, issuing)] });
    const { der } = makePerson(endless(issuing), { notAfterMs: NOW_MS + DAY_MS });
    expect(() => trust.signer(der)).toThrow(code('ERR_TRUST_EXPIRED'));
  });

  it('says who it is, with the key that he signs with', () => {
    const { der } = makePerson(ores);
    const { publicKey, ...name } = trustOf().signer(der);
    expect(name).toEqual({ tenant: ORES, role: 'operator', person: 'ann' });
    expect(publicKey.export({ type: 'spki', format: 'der' })).toEqual(
      Buffer.from(parseCertificate(der).spki),
    );
  });

  it('is told apart by tenant where several offices are pinned, as at a device with guests', () => {
    const trust = trustOf({ issuers: [pin(ORES, ores), pin(FLUVIUS, fluvius)] });
    const uri = personUri({ tenant: FLUVIUS, role: 'approver', person: 'fay' });
    const fay = makePerson(fluvius, { names: { uris: [uri] }, subject: { commonName: 'fay' } });
    expect(trust.signer(fay.der)).toMatchObject({ tenant: FLUVIUS, role: 'approver', person: 'fay' });
    expect(trust.signer(makePerson(ores).der).tenant).toBe(ORES);
    // The CA of one makes nobody of the other.
    expect(() => trust.signer(makePerson(fluvius).der)).toThrow(code('ERR_TRUST_IDENTITY'));
  });
});

describe('somebody who calls', () => {
  const tls = (changes: Parameters<typeof makePerson>[1] = {}) =>
    makePerson(ores, { profile: PROFILES.personTls, ...changes }).der;

  it('is refused with a signature certificate, a desk’s, or a meter’s', () => {
    for (const profile of [PROFILES.personSign, PROFILES.deskServer, PROFILES.deviceSign])
      expect(() => trustOf().caller(tls({ profile }))).toThrow(code('ERR_TRUST_PROFILE'));
    expect(() =>
      trustOf().caller(makeLeaf(makeIssuing(makeRoot(), ORES), { profile: PROFILES.deviceTls }).der),
    ).toThrow(code('ERR_TRUST_ISSUER'));
  });

  it('is told by name, and by what a revocation would name him', () => {
    const der = tls();
    const trust = trustOf({ crls: [crlOf([])] });
    const caller = trust.caller(der);
    const { serial, notAfterMs } = parseCertificate(der);
    expect(caller).toMatchObject({ tenant: ORES, role: 'operator', person: 'ann', serial, notAfterMs });
    expect(trust.isRevoked(caller)).toBe(false);
    trust.replaceCrls([crlOf([serial], 2n)]);
    expect(trust.isRevoked(caller)).toBe(true);
    expect(() => trust.caller(der)).toThrow(code('ERR_TRUST_REVOKED'));
  });
});

describe('the server of a desk', () => {
  const server = (uri: string, by = ores) =>
    makePerson(by, {
      profile: PROFILES.deskServer,
      subject: { commonName: 'localhost' },
      names: { uris: [uri], dns: ['localhost'] },
    }).der;

  it('is believed of its own tenant only', () => {
    const trust = trustOf({ issuers: [pin(ORES, ores), pin(FLUVIUS, fluvius)] });
    expect(trust.desk(server(deskUri(ORES)))).toEqual({ tenant: ORES });
    expect(() => trust.desk(server(deskUri(ORES), fluvius))).toThrow(code('ERR_TRUST_IDENTITY'));
    expect(() => trust.desk(makePerson(ores).der)).toThrow(code('ERR_TRUST_PROFILE'));
    expect(() => trustOf().desk(server(deskUri(FLUVIUS), fluvius))).toThrow(code('ERR_TRUST_ISSUER'));
  });
});

describe('an office trust', () => {
  it.each([
    { name: 'a field root', code: 'ERR_TRUST_ROOT', options: { root: makeRoot().certificatePem } },
    {
      name: 'a root that is no CA',
      code: 'ERR_TRUST_ROOT',
      options: { root: makeOfficeRoot({ profile: PERSONAL }).certificatePem },
    },
    {
      name: 'a development root in production',
      code: 'ERR_TRUST_DEVELOPMENT',
      options: { root: makeOfficeRoot({ development: true }).certificatePem },
    },
    {
      name: 'a field CA of the tenant, even under the office root',
      code: 'ERR_TRUST_AUTHORITY',
      options: { issuers: [pin(ORES, makeIssuing(root, ORES))] },
    },
    {
      name: 'the office CA of another tenant',
      code: 'ERR_TRUST_AUTHORITY',
      options: { issuers: [pin(ORES, fluvius)] },
    },
    {
      name: 'an office CA that may issue CAs',
      code: 'ERR_TRUST_AUTHORITY',
      options: {
        issuers: [
          pin(
            ORES,
            makeOfficeIssuing(root, ORES, {
              profile: profileWith(PROFILES.officeIssuing, { pathLength: 1 }),
            }),
          ),
        ],
      },
    },
    {
      name: 'an office CA that may also vouch for meters',
      code: 'ERR_TRUST_AUTHORITY',
      options: {
        issuers: [
          pin(
            ORES,
            makeOfficeIssuing(root, ORES, {
              profile: profileWith(PROFILES.officeIssuing, {
                purposes: [...PROFILES.officeIssuing.purposes, 'deviceSignature'],
              }),
            }),
          ),
        ],
      },
    },
    {
      name: 'an office CA under another root',
      code: 'ERR_TRUST_AUTHORITY',
      options: { issuers: [pin(ORES, makeOfficeIssuing(makeOfficeRoot(), ORES))] },
    },
  ])('is not made with $name', ({ code: expected, options }) => {
    expect(() => trustOf(options)).toThrow(code(expected));
  });

  it('is made of a development PKI where that is said', () => {
    const dev = makeOfficeRoot({ development: true });
    const issuing = makeOfficeIssuing(dev, ORES);
    const options = { root: dev.certificatePem, issuers: [pin(ORES, issuing)] };
    const trust = trustOf({ ...options, development: true });
    expect(trust.signer(makePerson(issuing).der).person).toBe('ann');
  });

  it('remembers people within a bound, and forgets nothing that changes', () => {
    let nowMs = NOW_MS;
    const trust = trustOf({ peopleMax: 2, clock: { nowMs: () => nowMs }, crls: [crlOf([])] });
    const [first, second, third] = [
      makePerson(ores),
      makePerson(ores),
      makePerson(ores, { notAfterMs: NOW_MS + 5_000 }),
    ];
    const keyOf = ({ der }: typeof first) => trust.signer(der).publicKey;
    const kept = keyOf(first);
    const dropped = keyOf(second);
    expect(keyOf(first)).toBe(kept);
    keyOf(third);
    expect(keyOf(first)).toBe(kept);
    expect(keyOf(third).type).toBe('public');
    expect(keyOf(second)).not.toBe(dropped);
    nowMs = NOW_MS + 6_000;
    expect(() => keyOf(third)).toThrow(code('ERR_TRUST_EXPIRED'));
    trust.replaceCrls([crlOf([parseCertificate(second.der).serial], 2n)]);
    expect(() => keyOf(second)).toThrow(code('ERR_TRUST_REVOKED'));
    // An old list that is played back brings nobody back to life.
    expect(() => trust.replaceCrls([crlOf([], 1n)])).toThrow(code('ERR_TRUST_CRL'));
    expect(() => trust.replaceCrls([])).toThrow(code('ERR_TRUST_CRL'));
    expect(() => keyOf(second)).toThrow(code('ERR_TRUST_REVOKED'));
  });
});
