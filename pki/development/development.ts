import { readdirSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { checkNotExpired, moveIntoPlace, sweepLeftovers, writeFiles } from '../files/atomic.ts';
import { beside, makeFolder, readText, systemCode, withFile } from '../files/files.ts';
import { type PkiLayout, pkiLayout } from '../files/layout.ts';
import { parseManifest } from '../files/manifest.ts';
import type { OwnerKey } from '../identity.ts';
import { type KeyFiles, loadKey, loadSealingKey, loadServerKey } from '../keys/keys.ts';
import { loadOffice, makeOfficeIfAbsent } from '../office/development.ts';
import { thereOf } from '../rollover/others.ts';
import { settleFiles } from '../rollover/settle.ts';
import { pinAuthorities } from '../verify/anchors.ts';
import { recipientOf } from '../verify/sealing.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { authorityOf, type SigningAuthority } from '../x509/certify.ts';
import { parseCrl } from '../x509/crl.ts';
import { derOf } from '../x509/pem.ts';
import type { DevelopmentPki } from './development-pki.ts';
import { generatePki } from './generate.ts';

export { deviceIdentityFile, type PkiLayout, pkiLayout } from '../files/layout.ts';
export { type DeviceIdentity, readDeviceIdentity, saveDeviceIdentity } from '../identity.ts';
export { type DevelopmentOffice, officeAnchors } from '../office/development.ts';
export { DEVELOPMENT_PEOPLE } from '../office/generate.ts';
export type { DevelopmentPki } from './development-pki.ts';
export { type BulkOptions, type DeviceRequest, issueDevice, issueDevices, withOffice } from './devices.ts';
export { revokeDevice, revokePerson } from './revoke.ts';

/**
 * Make a PKI for development: field root, head-end and front, per tenant an issuing CA, an empty revocation list and
 * a sealing key, and the office with its people (layout.ts). It is made beside its place and moved there whole, so a killed start leaves
 * nothing; of two starts at once one wins and the other gets ERR_PKI_EXISTS.
 *
 * @throws ERR_PKI_EXISTS, ERR_PKI_RIGHTS, ERR_PKI_DAMAGED
 */
export function createDevelopmentPki(options: {
  readonly directory: string;
  readonly tenants: readonly TenantId[];
  readonly nowMs: number;
}): DevelopmentPki {
  const directory = resolve(options.directory);
  makeFolder(dirname(directory));
  sweepLeftovers(directory);
  const fresh = beside(directory);
  try {
    writeFiles(generatePki(pkiLayout(fresh), options.tenants, options.nowMs));
    moveIntoPlace(fresh, directory);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return loadDevelopmentPki({ directory, nowMs: options.nowMs, development: true });
}

/**
 * Open a PKI that `createDevelopmentPki` made, and check every file of it that is needed to issue devices.
 * @throws ERR_PKI_DEVELOPMENT unless `development` is said, ERR_PKI_ABSENT, ERR_PKI_DAMAGED, ERR_PKI_RIGHTS,
 *   ERR_PKI_EXPIRED
 */
export function loadDevelopmentPki(options: {
  readonly directory: string;
  readonly nowMs: number;
  readonly development: boolean;
}): DevelopmentPki {
  const { nowMs } = options;
  if (!options.development)
    throw pkiError('ERR_PKI_DEVELOPMENT', 'development keys are opened in development mode only');
  const layout = pkiLayout(resolve(options.directory));
  if (isAbsent(layout.directory))
    throw pkiError('ERR_PKI_ABSENT', `there is no PKI in ${layout.directory}: run \`hes pki init\``, {
      context: { directory: layout.directory },
    });
  const readManifest = () => withFile(layout.manifest, () => parseManifest(readText(layout.manifest)));
  for (const { tenant } of readManifest().tenants) settleFiles(layout, tenant);
  // Read after that: it says which sealing key is the present one.
  const manifest = readManifest();
  const root = loadRoot(layout, nowMs);
  withFile(layout.front.key, () => loadServerKey(layout.front, { development: true }));
  checkNotExpired(layout.front.certificate, nowMs);
  const authorities = new Map<TenantId, SigningAuthority>();
  const owners = new Map<TenantId, OwnerKey>();
  const others = {
    field: new Map<TenantId, readonly SigningAuthority[]>(),
    office: new Map<TenantId, readonly SigningAuthority[]>(),
  };
  const other = (files: KeyFiles): SigningAuthority => {
    const { certificate, privateKey } = withFile(files.key, () => loadKey(files, { development: true }));
    return authorityOf(certificate.der, privateKey);
  };
  for (const { tenant, kid } of manifest.tenants) {
    const { office } = layout;
    others.field.set(tenant, thereOf([layout.next(tenant), layout.former(tenant)], nowMs).map(other));
    others.office.set(tenant, thereOf([office.next(tenant), office.former(tenant)], nowMs).map(other));
    authorities.set(tenant, loadAuthority(layout, tenant, root.pem, nowMs));
    owners.set(tenant, loadOwner(layout, tenant, kid, root.pem, nowMs));
  }
  const office = loadOffice(layout.office, authorities, nowMs);
  return { layout, tenants: [...authorities.keys()], root, authorities, owners, others, office };
}

/**
 * Open the PKI in this folder, or make it at the first start; two first starts at once end with the same one. An
 * office is added to one that was made before there were offices.
 * @throws as `loadDevelopmentPki`, and ERR_PKI_TENANT where the existing one was made for fewer tenants
 */
export function openDevelopmentPki(options: {
  readonly directory: string;
  readonly tenants: readonly TenantId[];
  readonly nowMs: number;
  readonly development: boolean;
}): { readonly pki: DevelopmentPki; readonly created: boolean } {
  if (options.development && isAbsent(resolve(options.directory))) {
    try {
      return { pki: createDevelopmentPki(options), created: true };
    } catch (error) {
      if (!isHesError(error, 'ERR_PKI_EXISTS')) throw error;
    }
  }
  const pki = addOffice(loadDevelopmentPki(options), options.nowMs);
  const missing = options.tenants.filter((tenant) => !pki.tenants.includes(tenant));
  if (missing.length > 0)
    throw pkiError(
      'ERR_PKI_TENANT',
      `the PKI in ${pki.layout.directory} was made without ${missing.join(', ')}: name another folder, or remove it to make a new PKI`,
      { context: { directory: pki.layout.directory } },
    );
  return { pki, created: false };
}

/**
 * The same PKI with its office, made now where it has none.
 * @throws ERR_PKI_RIGHTS, ERR_PKI_DAMAGED, ERR_PKI_EXPIRED
 */
export function addOffice(pki: DevelopmentPki, nowMs: number): DevelopmentPki {
  if (pki.office !== undefined) return pki;
  makeOfficeIfAbsent(pki.layout.office, pki.tenants, nowMs);
  return { ...pki, office: loadOffice(pki.layout.office, pki.authorities, nowMs) };
}

function loadRoot(layout: PkiLayout, nowMs: number): DevelopmentPki['root'] {
  const file = layout.root.certificate;
  const pem = readText(file);
  const certificate = withFile(file, () => {
    pinAuthorities({ root: pem, issuers: [], development: true });
    return parseCertificate(derOf('CERTIFICATE', pem));
  });
  checkNotExpired(file, nowMs);
  return { certificate, pem };
}

function loadAuthority(layout: PkiLayout, tenant: TenantId, root: string, nowMs: number): SigningAuthority {
  const files = layout.issuing(tenant);
  const { certificate, privateKey } = withFile(files.key, () => loadKey(files, { development: true }));
  withFile(files.certificate, () =>
    pinAuthorities({ root, issuers: [{ tenant, certificate: certificate.der }], development: true }),
  );
  checkNotExpired(files.certificate, nowMs);
  const crl = layout.crl(tenant);
  withFile(crl, () => parseCrl(derOf('X509 CRL', readText(crl))));
  return authorityOf(certificate.der, privateKey);
}

function loadOwner(layout: PkiLayout, tenant: TenantId, kid: string, root: string, nowMs: number): OwnerKey {
  const files = layout.sealing(tenant, kid);
  withFile(files.key, () => loadSealingKey(files, { tenant, development: true }));
  checkNotExpired(files.certificate, nowMs);
  const certificate = readText(files.certificate);
  // As a device will check it: a damaged chain is found here, not ten thousand devices later.
  const recipient = withFile(files.certificate, () =>
    recipientOf(certificate, { tenant, root, atMs: nowMs, development: true }),
  );
  if (Buffer.from(recipient.kid).toString('hex') !== kid)
    throw pkiError('ERR_PKI_DAMAGED', `${files.certificate} is another key than its name says`, {
      context: { file: files.certificate },
    });
  return { kid, certificate };
}

function isAbsent(directory: string): boolean {
  try {
    return readdirSync(directory).length === 0;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return true;
    return withFile(directory, () => {
      throw error;
    });
  }
}
