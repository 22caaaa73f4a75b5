import { writeFileSync } from 'node:fs';
import type { TenantId } from '../../protocol/identity.ts';
import type { DevelopmentPki } from '../development/development-pki.ts';
import { readText } from '../files/files.ts';
import { type KeyFiles, loadKey } from '../keys/keys.ts';
import { authorityOf, type SigningAuthority } from '../x509/certify.ts';
import { deskUri, FRONT_URI } from '../x509/names.ts';
import { PROFILES, type Profile } from '../x509/profiles.ts';
import { DAY_MS, makeLeaf } from './field.ts';

/** Server certificates that are renewed beside a running server. */

export interface ServerPair {
  /** The leaf and, after it, its CA's. */
  readonly cert: string;
  readonly key: string;
}

interface Validity {
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
}

/** A fresh pair for `localhost` below this CA, valid for a year unless said otherwise. */
export function makeServer(
  by: { readonly authority: SigningAuthority; readonly pem: string },
  profile: Profile,
  uri: string,
  { notBeforeMs = Date.now() - DAY_MS, notAfterMs = Date.now() + 365 * DAY_MS }: Validity = {},
): ServerPair {
  const made = makeLeaf(by.authority, {
    profile,
    subject: { commonName: 'localhost' },
    names: { uris: [uri], dns: ['localhost'], addresses: [Buffer.of(127, 0, 0, 1)] },
    notBeforeMs,
    notAfterMs,
  });
  return { cert: made.pem + by.pem, key: made.keyPem };
}

/** Of a development PKI, whose keys lie open. */
function caOf(files: KeyFiles): { readonly authority: SigningAuthority; readonly pem: string } {
  const { certificate, privateKey } = loadKey(files, { development: true });
  return { authority: authorityOf(certificate.der, privateKey), pem: readText(files.certificate) };
}

export const makeFrontServer = ({ layout }: DevelopmentPki, validity?: Validity): ServerPair =>
  makeServer(caOf(layout.headEnd), PROFILES.frontServer, FRONT_URI, validity);

export const makeDeskServer = (
  { layout }: DevelopmentPki,
  tenant: TenantId,
  validity?: Validity,
): ServerPair =>
  makeServer(caOf(layout.office.issuing(tenant)), PROFILES.deskServer, deskUri(tenant), validity);

/** As somebody with an editor does it: one file, then the other. */
export function writeServer(files: KeyFiles, { cert, key }: ServerPair): void {
  writeFileSync(files.key, key);
  writeFileSync(files.certificate, cert);
}
