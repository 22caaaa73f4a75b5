import { describe, expect, it } from 'vitest';
import { deviceUri } from '../../protocol/identity.ts';
import { officeTrustOf } from '../office/device.ts';
import { createOfficeTrust } from '../office/trust.ts';
import { BAD_CERTIFICATES, type Ground, rightBut, sameSerial } from '../testing/bad-certificates.ts';
import { DAY_MS, DEVICE, FLUVIUS, makeIssuing, makeRoot, NOW_MS, ORES } from '../testing/field.ts';
import { ANN, makeOfficeIssuing, makeOfficeRoot, PERSON } from '../testing/office.ts';
import { openssl, runOpenssl } from '../testing/openssl.ts';
import type { SigningAuthority } from '../x509/certify.ts';
import { makeCrl } from '../x509/crl.ts';
import { officeIssuingUri, personUri, sealingUri } from '../x509/names.ts';
import { toPem } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';
import { createDeviceTrust } from './device-trust.ts';
import { recipientOf } from './sealing.ts';
import { createTlsTrust } from './tls-trust.ts';

/** One table of wrong certificates, at every place where one is believed, and before `openssl verify`. */

const SERIAL = Buffer.from('5e'.repeat(16), 'hex');
const listOf = (authority: SigningAuthority): Uint8Array =>
  makeCrl(authority, {
    number: 1n,
    thisUpdateMs: NOW_MS - DAY_MS,
    nextUpdateMs: NOW_MS + DAY_MS,
    entries: [{ serial: SERIAL.toString('hex'), atMs: NOW_MS - DAY_MS, reason: 'keyCompromise' }],
  });

const root = makeRoot();
const issuing = makeIssuing(root, ORES);
const fieldGround = {
  root,
  issuing,
  foreign: makeIssuing(root, FLUVIUS),
  nowMs: NOW_MS,
  revokedSerial: SERIAL,
};
const device = {
  ...fieldGround,
  commonName: DEVICE,
  uri: deviceUri(ORES, DEVICE),
  foreignUri: deviceUri(FLUVIUS, DEVICE),
};
const officeRoot = makeOfficeRoot();
const officeIssuing = makeOfficeIssuing(officeRoot, ORES);
const person = {
  root: officeRoot,
  issuing: officeIssuing,
  foreign: makeOfficeIssuing(officeRoot, FLUVIUS, {
    subject: { commonName: officeIssuingUri(FLUVIUS) },
    names: { uris: [officeIssuingUri(FLUVIUS)] },
  }),
  nowMs: NOW_MS,
  revokedSerial: SERIAL,
  commonName: PERSON,
  uri: ANN,
  foreignUri: personUri({ tenant: FLUVIUS, role: 'operator', person: PERSON }),
};

const field = () => ({
  root: root.certificatePem,
  issuers: [{ tenant: ORES, certificate: issuing.certificatePem }],
  crls: [listOf(issuing)],
});
const people = () =>
  createOfficeTrust({
    root: officeRoot.certificatePem,
    issuers: [{ tenant: ORES, certificate: officeIssuing.certificatePem }],
    crls: [listOf(officeIssuing)],
    clock: { nowMs: () => NOW_MS },
  });

interface Place {
  readonly at: string;
  readonly ground: Ground;
  /** Somebody who has just started, and has met nobody. */
  readonly open: () => (certificate: Uint8Array) => unknown;
}

const PLACES: readonly Place[] = [
  {
    at: 'the front',
    ground: { ...device, profile: PROFILES.deviceTls, wrongProfile: 'deviceSign' },
    open: () => {
      const trust = createTlsTrust(field());
      return (certificate) => trust.identity(certificate, { atMs: NOW_MS });
    },
  },
  {
    at: 'a router',
    ground: { ...device, profile: PROFILES.deviceSign, wrongProfile: 'deviceTls' },
    open: () => {
      const trust = createDeviceTrust({ tenant: ORES, ...field() });
      return (certificate) => trust.signer(certificate, { device: DEVICE, atMs: NOW_MS });
    },
  },
  {
    at: "the desk's API",
    ground: { ...person, profile: PROFILES.personTls, wrongProfile: 'personSign' },
    open: () => {
      const trust = people();
      return (certificate) => trust.caller(certificate);
    },
  },
  {
    at: 'a meter that is commanded',
    ground: { ...person, profile: PROFILES.personSign, wrongProfile: 'personTls' },
    // It reads no list: its operator's notice told it who was revoked.
    open: () =>
      officeTrustOf(
        {
          office: { root: officeRoot.certificatePem, issuers: { [ORES]: officeIssuing.certificatePem } },
          revokedPeople: { [ORES]: [SERIAL.toString('hex')] },
        },
        { clock: { nowMs: () => NOW_MS } },
      ).signer,
  },
];
const ROWS = BAD_CERTIFICATES.map((row) => ({ ...row, row }));

describe.each(PLACES)('$at', ({ ground, open }) => {
  it('takes the right one', () => {
    const { der } = rightBut(ground);
    expect(() => open()(der)).not.toThrow();
  });

  it.each(ROWS)('refuses a certificate $what, as $code', ({ row }) => {
    const { der } = row.make(ground);
    const ask = open();
    const refused = expect.objectContaining({ code: row.code });
    for (let time = 0; time < 2; time += 1) expect(() => ask(der)).toThrow(refused);
  });

  it('refuses a second certificate with the serial number of one in use', () => {
    const [first, second] = sameSerial(ground);
    const ask = open();
    ask(first.der);
    expect(() => ask(second.der)).toThrow(expect.objectContaining({ code: 'ERR_TRUST_SERIAL' }));
    expect(() => ask(first.der)).not.toThrow();
  });

  const verify = (der: Uint8Array, between: string, ...more: readonly string[]) =>
    runOpenssl(
      ['verify', '-x509_strict', ...more, '-auth_level', '2', '-attime', String(NOW_MS / 1_000)].concat([
        '-CAfile',
        'root.pem',
        '-untrusted',
        'between.pem',
        '-CRLfile',
        'crl.pem',
        'leaf.pem',
      ]),
      {
        'root.pem': ground.root.certificatePem,
        'between.pem': between,
        'crl.pem': toPem('X509 CRL', listOf(ground.issuing)),
        'leaf.pem': toPem('CERTIFICATE', der),
      },
    );

  it.skipIf(!openssl)('agrees with openssl verify wherever that can judge (needs openssl)', () => {
    expect(verify(rightBut(ground).der, ground.issuing.certificatePem, '-crl_check')).toMatchObject({
      ok: true,
    });
    for (const { what, openssl: says, code, make } of BAD_CERTIFICATES) {
      if (says === null) continue;
      const { der, between } = make(ground);
      // It would miss the list of a wrong CA before it looks at anything else.
      const lists = code === 'ERR_TRUST_REVOKED' ? ['-crl_check'] : [];
      const { ok, text } = verify(der, between, ...lists);
      expect(ok, what).toBe(false);
      expect(text, what).toMatch(says);
    }
  });
});

describe('a meter that seals', () => {
  const uri = sealingUri(ORES);
  const ground: Ground = {
    ...fieldGround,
    profile: PROFILES.sealing,
    wrongProfile: 'deviceAgree',
    commonName: uri,
    uri,
    foreignUri: sealingUri(FLUVIUS),
  };
  const ask = (der: Uint8Array) =>
    recipientOf(toPem('CERTIFICATE', der) + issuing.certificatePem, {
      tenant: ORES,
      root: root.certificatePem,
      atMs: NOW_MS,
    });

  it('takes the right key of an owner', () => {
    expect(() => ask(rightBut(ground).der)).not.toThrow();
  });

  // It has no list of the field: an owner's key that was lost is replaced by a signed notice.
  it.each(ROWS.filter(({ code }) => code !== 'ERR_TRUST_REVOKED'))(
    "refuses an owner's key under a certificate $what",
    ({ row }) => {
      const { der } = row.make(ground);
      // Another tenant's name is another profile to it: the name is part of what it asks for.
      const code =
        row.code === 'ERR_TRUST_IDENTITY' || row.code === 'ERR_TRUST_PROFILE'
          ? 'ERR_TRUST_PROFILE'
          : row.code;
      expect(() => ask(der)).toThrow(expect.objectContaining({ code }));
    },
  );
});
