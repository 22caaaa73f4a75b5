import { relative } from 'node:path';
import type { TenantId } from '../../protocol/identity.ts';
import { CRL_VALIDITY_MS } from '../ca/crl-validity.ts';
import type { DevelopmentPki } from '../development/development-pki.ts';
import { CLOCK_SKEW_MS, emptyCrl, type Made, make, makeCa, signing } from '../development/making.ts';
import { pkiError } from '../errors.ts';
import { readTextIfThere } from '../files/files.ts';
import { isTokenReference } from '../hsm/reference.ts';
import { type KeyMaker, makerLike } from '../keys/key-maker.ts';
import { loadAuthorityKey } from '../keys/key-places.ts';
import { sealingKid } from '../verify/sealing.ts';
import type { SigningAuthority } from '../x509/certify.ts';
import {
  DEVELOPMENT_ORGANIZATION,
  issuingUri,
  officeIssuingUri,
  PRODUCTION_ORGANIZATION,
  sealingUri,
} from '../x509/names.ts';
import { toPem } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';
import type { RolloverKind, RolloverPlan } from './plan.ts';
import { caPlaces } from './settle.ts';

/** The new keys of a roll-over, with their certificates: in memory, and then in the plan, before anything is placed. */

export interface NewKeys {
  readonly kid: RolloverPlan['kid'];
  readonly ca: RolloverPlan['ca'];
  readonly files: RolloverPlan['files'];
  readonly crl: string | null;
}

export interface MakeOptions {
  readonly tenant: TenantId;
  readonly kind: RolloverKind;
  readonly nowMs: number;
  /** How a private key is written: encrypted, or in development as it is. */
  readonly keep: (keyPem: string, kind: 'ca' | 'service') => string;
  /** What opens the root of field or office; none in development, and for a sealing key. */
  readonly rootPassphrase?: string | undefined;
}

type Pki = DevelopmentPki & { readonly development: boolean };

/** @throws ERR_PKI_TENANT, ERR_PKI_PASSPHRASE, ERR_PKI_* */
export function makeNewKeys(pki: Pki, options: MakeOptions): NewKeys {
  const { tenant, kind } = options;
  const present = (kind === 'office' ? pki.office?.authorities : pki.authorities)?.get(tenant);
  const owner = pki.owners.get(tenant);
  if (present === undefined || owner === undefined)
    throw pkiError('ERR_PKI_TENANT', `there is no issuing CA of ${tenant}`);
  if (kind === 'sealing') {
    const { kid, files } = newSealing(pki, options, present, owner.kid);
    return { kid, ca: null, files, crl: null };
  }
  const made = newCa(pki, options, kind);
  const authority = signing(made);
  const places = caPlaces(pki.layout, tenant, kind);
  const at = (file: string, text: string) => ({ path: relative(pki.layout.directory, file), text });
  // Keys before their certificates, and the file that others read last.
  const files = [
    at(places.next.key, kept(options, made, 'ca')),
    at(places.next.certificate, made.pem),
    at(places.present.certificate, present.certificatePem + made.pem),
  ];
  const ca = { old: keyIdOf(present), new: keyIdOf(authority) };
  const validityMs = pki.development ? undefined : CRL_VALIDITY_MS;
  const crl = toPem('X509 CRL', emptyCrl(authority, options.nowMs - CLOCK_SKEW_MS, validityMs));
  if (kind === 'office') return { kid: null, ca, files, crl };
  const sealing = newSealing(pki, options, authority, owner.kid);
  return { kid: sealing.kid, ca, files: [...files, ...sealing.files], crl };
}

function newCa(pki: Pki, { tenant, nowMs, rootPassphrase }: MakeOptions, kind: 'field' | 'office'): Made {
  const [files, profile, uri] =
    kind === 'field'
      ? [pki.layout.root, PROFILES.issuing, issuingUri(tenant)]
      : [pki.layout.office.root, PROFILES.officeIssuing, officeIssuingUri(tenant)];
  const { development } = pki;
  const { certificate, privateKey } = loadAuthorityKey(files, { passphrase: rootPassphrase, development });
  const root = { certificate, certificatePem: toPem('CERTIFICATE', certificate.der), privateKey };
  const organization = development ? DEVELOPMENT_ORGANIZATION : PRODUCTION_ORGANIZATION;
  const key = keyMakerOf(pki.layout, tenant)('sign', `hes ${tenant} ${kind} CA`);
  return makeCa(root, profile, uri, nowMs - CLOCK_SKEW_MS, organization, key);
}

function newSealing(
  { layout }: Pki,
  options: MakeOptions,
  issuer: SigningAuthority,
  old: string,
): { readonly kid: NonNullable<NewKeys['kid']>; readonly files: NewKeys['files'] } {
  const { tenant, nowMs } = options;
  const made = make(
    issuer,
    {
      profile: PROFILES.sealing,
      subject: { commonName: sealingUri(tenant) },
      names: { uris: [sealingUri(tenant)] },
      notBeforeMs: nowMs - CLOCK_SKEW_MS,
    },
    keyMakerOf(layout, tenant, layout.sealing(tenant, old).key)('agree', `hes ${tenant} sealing`),
  );
  const kid = Buffer.from(sealingKid(made.spki)).toString('hex');
  const place = layout.sealing(tenant, kid);
  const path = (file: string) => relative(layout.directory, file);
  return {
    kid: { old, new: kid },
    files: [
      { path: path(place.key), text: kept(options, made, 'service') },
      { path: path(place.certificate), text: made.pem + issuer.certificatePem },
    ],
  };
}

/** Where the old key is, or where its CA's is if that has moved to its router: here, or in the same token. */
function keyMakerOf({ issuing }: Pki['layout'], tenant: TenantId, ...old: readonly string[]): KeyMaker {
  const files = [...old, issuing(tenant).key];
  const file = files.find((candidate) => readTextIfThere(candidate) !== undefined) ?? '';
  return makerLike(readTextIfThere(file) ?? '', file);
}

/** What refers to a token is no secret. */
const kept = ({ keep }: MakeOptions, { keyPem }: Made, kind: 'ca' | 'service'): string =>
  isTokenReference(keyPem) ? keyPem : keep(keyPem, kind);

export const keyIdOf = ({ certificate }: SigningAuthority): string => certificate.subjectKeyId ?? '';
