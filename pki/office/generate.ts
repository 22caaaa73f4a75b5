import { createPrivateKey, randomBytes } from 'node:crypto';
import { ROLES, type Role } from '../../protocol/command/roles.ts';
import type { TenantId } from '../../protocol/identity.ts';
import {
  CLOCK_SKEW_MS,
  DEVELOPMENT,
  emptyCrl,
  LOOPBACK,
  type Making,
  make,
  makeCa,
  signing,
} from '../development/making.ts';
import type { OfficeLayout } from '../files/layout.ts';
import { type SigningAuthority, selfSign } from '../x509/certify.ts';
import { deskUri, OFFICE_ROOT_URI, type OfficeName, officeIssuingUri, personUri } from '../x509/names.ts';
import { toPem } from '../x509/pem.ts';
import { PROFILES, type Profile } from '../x509/profiles.ts';
import type { OfficeIdentity } from './identity.ts';

/** Who there is in development: one of each role, called after it. */
export const DEVELOPMENT_PEOPLE = Object.keys(ROLES) as readonly Role[];

/** 192 random bits: nobody guesses them, so the key derivation need not be slow. */
const PASSPHRASE_BYTES = 24;

/** Every file of a fresh office, by path. Pure but for the randomness of keys and passphrases. */
export function generateOffice(
  layout: OfficeLayout,
  tenants: readonly TenantId[],
  nowMs: number,
  making: Making = DEVELOPMENT,
): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const { organization } = making;
  const notBeforeMs = nowMs - CLOCK_SKEW_MS;
  const root = selfSign({
    profile: PROFILES.officeRoot,
    subject: { organization, commonName: OFFICE_ROOT_URI },
    names: { uris: [OFFICE_ROOT_URI] },
    notBeforeMs,
  });
  files.set(layout.root.certificate, root.certificatePem);
  files.set(layout.root.key, making.keep(root.privateKeyPem, 'root'));
  for (const tenant of tenants) {
    const key = making.keyMaker(tenant)('sign', `hes ${tenant} office CA`);
    const uri = officeIssuingUri(tenant);
    const issuing = makeCa(root, PROFILES.officeIssuing, uri, notBeforeMs, organization, key);
    const authority = signing(issuing);
    files.set(layout.issuing(tenant).certificate, issuing.pem);
    files.set(layout.issuing(tenant).key, making.keep(issuing.keyPem, 'ca'));
    files.set(layout.crl(tenant), toPem('X509 CRL', emptyCrl(authority, notBeforeMs, making.crlValidityMs)));
    const dns = making.deskHosts(tenant);
    const desk = make(authority, {
      profile: PROFILES.deskServer,
      subject: { commonName: dns[0]! },
      names: { uris: [deskUri(tenant)], dns, addresses: making.loopback ? LOOPBACK : [] },
      notBeforeMs,
    });
    files.set(layout.desk(tenant).certificate, desk.pem + issuing.pem);
    files.set(layout.desk(tenant).key, making.keep(desk.keyPem, 'service'));
    if (!making.people) continue;
    for (const role of DEVELOPMENT_PEOPLE) {
      const passphrase = randomBytes(PASSPHRASE_BYTES).toString('base64url');
      const identity = issuePerson(authority, {
        name: { tenant, role, person: role },
        root: root.certificatePem,
        passphrase,
        notBeforeMs,
        // Nobody renews them beside `npm start`, so they live as long as their CA.
        notAfterMs: authority.certificate.notAfterMs,
      });
      const place = layout.person(tenant, role);
      files.set(place.identity, `${JSON.stringify({ ...identity, development: true }, null, 2)}\n`);
      files.set(place.passphrase, `${passphrase}\n`);
    }
  }
  return files;
}

/** Keys and certificates of a person or system; the keys leave this function encrypted. */
export function issuePerson(
  authority: SigningAuthority,
  about: {
    readonly name: OfficeName;
    /** PEM. */
    readonly root: string;
    readonly passphrase: string;
    readonly notBeforeMs: number;
    readonly notAfterMs?: number;
  },
): OfficeIdentity {
  const { name, root, passphrase, notBeforeMs, notAfterMs } = about;
  const credential = (profile: Profile) => {
    const made = make(authority, {
      profile,
      subject: { commonName: name.person },
      names: { uris: [personUri(name)] },
      notBeforeMs,
      ...(notAfterMs === undefined ? {} : { notAfterMs }),
    });
    return { key: quickly(made.keyPem, passphrase), certificate: made.pem };
  };
  const sign = credential(PROFILES.personSign);
  const tls = credential(PROFILES.personTls);
  return {
    version: 1,
    ...name,
    root,
    sign,
    tls: { ...tls, certificate: tls.certificate + authority.certificatePem },
  };
}

/**
 * RFC 5958: PBES2 with AES-256-CBC, as OpenSSL writes it, with few iterations: the passphrases of development are
 * random, and a fleet of tests makes many. Those that people choose go with scrypt (encrypted-key.ts).
 */
function quickly(keyPem: string, passphrase: string): string {
  return createPrivateKey(keyPem).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase,
  });
}
