import { describe, expect, it } from 'vitest';
import { deviceUri } from '../../protocol/identity.ts';
import { createOfficeTrust } from '../office/trust.ts';
import { DEVICE, type Leaf, makeIssuing, makeLeaf, makeRoot, NOW_MS, ORES } from '../testing/field.ts';
import { ANN, makeOfficeIssuing, makeOfficeRoot, PERSON } from '../testing/office.ts';
import { openssl, runOpenssl } from '../testing/openssl.ts';
import { deskUri, FRONT_URI, HEAD_END_URI, sealingUri } from '../x509/names.ts';
import { PROFILES, type ProfileName } from '../x509/profiles.ts';
import { pinAuthorities } from './anchors.ts';
import { createDeviceTrust } from './device-trust.ts';
import { recipientOf } from './sealing.ts';
import { createTlsTrust } from './tls-trust.ts';
import { OFFICE } from './worlds.ts';

/** Every certificate that there is at every place where one is believed: each pair but its own is refused. */

const field = makeRoot();
const office = makeOfficeRoot();
const issuing = makeIssuing(field, ORES);
const officeIssuing = makeOfficeIssuing(office, ORES);
const headEnd = makeIssuing(field, ORES, {
  profile: PROFILES.headEnd,
  subject: { commonName: HEAD_END_URI },
  names: { uris: [HEAD_END_URI] },
});
const pinned = (certificate: string) => ({ issuers: [{ tenant: ORES, certificate }] });

const NAMES: Partial<Record<ProfileName, { readonly commonName: string; readonly uri: string }>> = {
  frontServer: { commonName: 'localhost', uri: FRONT_URI },
  deviceTls: { commonName: DEVICE, uri: deviceUri(ORES, DEVICE) },
  deviceSign: { commonName: DEVICE, uri: deviceUri(ORES, DEVICE) },
  deviceAgree: { commonName: DEVICE, uri: deviceUri(ORES, DEVICE) },
  sealing: { commonName: sealingUri(ORES), uri: sealingUri(ORES) },
  deskServer: { commonName: 'localhost', uri: deskUri(ORES) },
  personTls: { commonName: PERSON, uri: ANN },
  personSign: { commonName: PERSON, uri: ANN },
};
const LEAVES = Object.keys(NAMES) as ProfileName[];

const CAS = { field: issuing, office: officeIssuing, headEnd };
type Ca = keyof typeof CAS;
const ISSUED_BY: Readonly<Record<string, Ca>> = {
  frontServer: 'headEnd',
  deskServer: 'office',
  personTls: 'office',
  personSign: 'office',
};
const rightCa = (profile: ProfileName): Ca => ISSUED_BY[profile] ?? 'field';

/** A certificate of this profile and its proper names, by whichever CA. */
function leafOf(profile: ProfileName, ca: Ca): Leaf {
  const { commonName, uri } = NAMES[profile]!;
  return makeLeaf(CAS[ca], {
    profile: PROFILES[profile],
    subject: { commonName },
    names: { uris: [uri] },
  });
}

const tls = createTlsTrust({ root: field.certificatePem, ...pinned(issuing.certificatePem) });
const device = createDeviceTrust({
  tenant: ORES,
  root: field.certificatePem,
  ...pinned(issuing.certificatePem),
});
const people = createOfficeTrust({
  root: office.certificatePem,
  ...pinned(officeIssuing.certificatePem),
  clock: { nowMs: () => NOW_MS },
});
const sealedTo = (root: string, ca: string) => (leaf: Leaf) =>
  recipientOf(leaf.pem + ca, { tenant: ORES, root, atMs: NOW_MS });

/** Where a certificate is believed, and the one that is at home there. */
const PLACES: readonly {
  readonly at: string;
  readonly own: ProfileName;
  readonly ask: (leaf: Leaf) => unknown;
}[] = [
  { at: 'the front', own: 'deviceTls', ask: ({ der }) => tls.identity(der, { atMs: NOW_MS }) },
  {
    at: 'a router',
    own: 'deviceSign',
    ask: ({ der }) => device.signer(der, { device: DEVICE, atMs: NOW_MS }),
  },
  {
    at: 'a desk that learns a key',
    own: 'deviceAgree',
    ask: ({ der }) => device.agreement(der, { device: DEVICE, atMs: NOW_MS }),
  },
  { at: 'a device that seals', own: 'sealing', ask: sealedTo(field.certificatePem, issuing.certificatePem) },
  { at: 'a meter that is commanded', own: 'personSign', ask: ({ der }) => people.signer(der) },
  { at: "the desk's API", own: 'personTls', ask: ({ der }) => people.caller(der) },
  { at: 'a person who calls', own: 'deskServer', ask: ({ der }) => people.desk(der) },
];
const refused = expect.objectContaining({
  code: expect.stringMatching(/^ERR_TRUST_(ISSUER|PROFILE|IDENTITY)$/),
});

describe('field and office', () => {
  it.each(PLACES)('$at believes $own by its own CA and no other pair', ({ own, ask }) => {
    for (const profile of LEAVES)
      for (const ca of Object.keys(CAS) as Ca[]) {
        const leaf = leafOf(profile, ca);
        if (profile === own && ca === rightCa(own))
          expect(() => ask(leaf), `${profile} by ${ca}`).not.toThrow();
        else expect(() => ask(leaf), `${profile} by ${ca}`).toThrow(refused);
      }
  });

  it('cannot be configured for each other', () => {
    const worlds = [
      { root: field, ca: issuing },
      { root: office, ca: officeIssuing },
    ];
    for (const { root } of worlds)
      for (const { ca } of worlds) {
        const options = { root: root.certificatePem, ...pinned(ca.certificatePem) };
        const own = {
          field: root === field && ca === issuing,
          office: root === office && ca === officeIssuing,
        };
        if (!own.field) expect(() => pinAuthorities(options)).toThrow(/root|CA/);
        if (!own.office) expect(() => pinAuthorities({ ...options, world: OFFICE })).toThrow(/root|CA/);
      }
    expect(() => pinAuthorities({ root: office.certificatePem, issuers: [] })).toThrow(
      expect.objectContaining({ code: 'ERR_TRUST_ROOT' }),
    );
    expect(() =>
      sealedTo(office.certificatePem, officeIssuing.certificatePem)(leafOf('sealing', 'office')),
    ).toThrow(expect.objectContaining({ code: 'ERR_TRUST_ROOT' }));
  });

  it.skipIf(!openssl)('are told apart by openssl in strict mode, and office uses too (needs openssl)', () => {
    const verify = (leaf: Leaf, root: string, ca: string, ...purpose: string[]) =>
      runOpenssl(
        [
          'verify',
          '-x509_strict',
          '-attime',
          String(NOW_MS / 1_000),
          ...purpose,
          '-CAfile',
          'root.pem',
          '-untrusted',
          'ca.pem',
          'leaf.pem',
        ],
        { 'root.pem': root, 'ca.pem': ca, 'leaf.pem': leaf.pem },
      ).ok;
    const own = [office.certificatePem, officeIssuing.certificatePem] as const;
    for (const profile of ['deskServer', 'personTls', 'personSign'] as const) {
      const leaf = leafOf(profile, 'office');
      expect(verify(leaf, ...own), profile).toBe(true);
      expect(verify(leaf, field.certificatePem, officeIssuing.certificatePem), profile).toBe(false);
      expect(verify(leaf, ...own, '-purpose', 'sslclient'), profile).toBe(profile === 'personTls');
      expect(verify(leaf, ...own, '-purpose', 'sslserver'), profile).toBe(profile === 'deskServer');
    }
    const meter = leafOf('deviceTls', 'field');
    expect(verify(meter, office.certificatePem, issuing.certificatePem)).toBe(false);
  });
});
