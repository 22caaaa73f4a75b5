import { createPrivateKey, type KeyObject } from 'node:crypto';
import { type DeviceId, deviceUri, type TenantId } from '../../protocol/identity.ts';
import {
  authorityOf,
  type CertifyRequest,
  certify,
  newKeyPair,
  type SigningAuthority,
  selfSign,
} from '../x509/certify.ts';
import {
  DEVELOPMENT_ORGANIZATION,
  FIELD_ROOT_URI,
  issuingUri,
  PRODUCTION_ORGANIZATION,
} from '../x509/names.ts';
import { toPem } from '../x509/pem.ts';
import { PROFILES, type Profile } from '../x509/profiles.ts';

/** Real certificates in memory, right ones and wrong ones, for the tests of those who verify. */
export const NOW_MS = Date.UTC(2026, 2, 28, 12);
export const DAY_MS = 86_400_000;
export const DEVICE = '0123456789abcdef' as DeviceId;
export const OTHER_DEVICE = 'fedcba9876543210' as DeviceId;

export const ORES = 'ores' as TenantId;
export const FLUVIUS = 'fluvius' as TenantId;
export const FARYS = 'farys' as TenantId;

export interface Leaf {
  readonly der: Uint8Array;
  readonly pem: string;
  readonly keyPem: string;
  readonly privateKey: KeyObject;
}

type Changes = Partial<Omit<CertifyRequest, 'spki'>>;

/** An authority whose key is here. */
export type KeyedAuthority = SigningAuthority & { readonly privateKey: KeyObject };

export function makeRoot(
  changes: Changes & { readonly development?: boolean } = {},
): KeyedAuthority & { readonly privateKeyPem: string } {
  const organization = changes.development === true ? DEVELOPMENT_ORGANIZATION : PRODUCTION_ORGANIZATION;
  return selfSign({
    profile: PROFILES.root,
    subject: { organization, commonName: FIELD_ROOT_URI },
    names: { uris: [FIELD_ROOT_URI] },
    notBeforeMs: NOW_MS - DAY_MS,
    ...changes,
  });
}

export function makeIssuing(root: SigningAuthority, tenant: TenantId, changes: Changes = {}): KeyedAuthority {
  const made = makeLeaf(root, {
    profile: PROFILES.issuing,
    subject: { organization: PRODUCTION_ORGANIZATION, commonName: issuingUri(tenant) },
    names: { uris: [issuingUri(tenant)] },
    ...changes,
  });
  return authorityOf(made.der, made.privateKey);
}

/** A device's certificate of ORES, but for the changes. */
export function makeLeaf(authority: SigningAuthority, changes: Changes = {}): Leaf {
  const { privateKeyPem, spki } = newKeyPair();
  const der = certify(authority, {
    profile: PROFILES.deviceSign,
    subject: { commonName: DEVICE },
    names: { uris: [deviceUri(ORES, DEVICE)] },
    notBeforeMs: NOW_MS - DAY_MS,
    ...changes,
    spki,
  });
  return {
    der,
    pem: toPem('CERTIFICATE', der),
    keyPem: privateKeyPem,
    privateKey: createPrivateKey(privateKeyPem),
  };
}

/** An authority that has the right to sign nothing: an end entity's certificate used as if it were a CA. */
export function authorityFromLeaf(leaf: Leaf): SigningAuthority {
  const made = authorityOf(leaf.der, leaf.privateKey);
  return { ...made, certificate: { ...made.certificate, subjectKeyId: '00'.repeat(20) } };
}

export const profileWith = (profile: Profile, changes: Partial<Profile>): Profile => ({
  ...profile,
  ...changes,
});
