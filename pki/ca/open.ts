import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { TenantId } from '../../protocol/identity.ts';
import { addOffice, loadDevelopmentPki } from '../development/development.ts';
import type { DevelopmentPki } from '../development/development-pki.ts';
import { pkiError } from '../errors.ts';
import { checkNotExpired } from '../files/atomic.ts';
import { readText, withFile } from '../files/files.ts';
import { pkiLayout } from '../files/layout.ts';
import { type Manifest, parseAnyManifest } from '../files/manifest.ts';
import type { OwnerKey } from '../identity.ts';
import { loadAuthorityKey } from '../keys/key-places.ts';
import type { KeyFiles } from '../keys/keys.ts';
import { vouch } from '../office/anchors.ts';
import { thereOf } from '../rollover/others.ts';
import { settleFiles } from '../rollover/settle.ts';
import { pinAuthorities } from '../verify/anchors.ts';
import { recipientOf } from '../verify/sealing.ts';
import { FIELD, OFFICE, type World } from '../verify/worlds.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { authorityOf, type SigningAuthority } from '../x509/certify.ts';
import { derOf } from '../x509/pem.ts';
import { type Authority, createAuthority } from './authority.ts';
import { CRL_VALIDITY_MS } from './crl-validity.ts';
import { openRegister, type Register } from './register.ts';

/** A PKI with its issuing CAs, of either kind. The keys of the roots are opened by the ceremony alone. */
export type OpenedPki = DevelopmentPki & { readonly development: boolean };

export { CRL_VALIDITY_MS } from './crl-validity.ts';

/** What a PKI is, without any of its keys. @throws ERR_PKI_ABSENT, ERR_PKI_DAMAGED, ERR_PKI_RIGHTS */
export function readManifest(directory: string): Manifest {
  const layout = pkiLayout(resolve(directory));
  if (!existsSync(layout.manifest))
    throw pkiError('ERR_PKI_ABSENT', `there is no PKI in ${layout.directory}: run \`hes pki init\``, {
      context: { directory: layout.directory },
    });
  return withFile(layout.manifest, () => parseAnyManifest(JSON.parse(readText(layout.manifest))));
}

/**
 * Open a PKI to issue by it. The keys of services are not needed: they have moved to their machines.
 * @throws ERR_PKI_ABSENT, ERR_PKI_PASSPHRASE, ERR_PKI_DAMAGED, ERR_PKI_RIGHTS, ERR_PKI_EXPIRED
 */
export function openPki(options: {
  readonly directory: string;
  readonly nowMs: number;
  readonly passphrase?: string | undefined;
  /** Of these alone, where a process is to hold no other tenant's keys. */
  readonly tenants?: readonly TenantId[];
}): OpenedPki {
  const { nowMs, passphrase } = options;
  const directory = resolve(options.directory);
  for (const { tenant } of readManifest(directory).tenants)
    if (options.tenants?.includes(tenant) !== false) settleFiles(pkiLayout(directory), tenant);
  // Read after that: it says which sealing key is the present one.
  const manifest = readManifest(directory);
  if (manifest.development)
    return {
      ...addOffice(loadDevelopmentPki({ directory, nowMs, development: true }), nowMs),
      development: true,
    };
  const layout = pkiLayout(directory);
  const meant = manifest.tenants.filter(({ tenant }) => options.tenants?.includes(tenant) !== false);
  const root = loadRoot(layout.root.certificate, FIELD, nowMs);
  const officeRoot = loadRoot(layout.office.root.certificate, OFFICE, nowMs);
  const authorities = new Map<TenantId, SigningAuthority>();
  const owners = new Map<TenantId, OwnerKey>();
  const officeAuthorities = new Map<TenantId, SigningAuthority>();
  const vouchers = new Map<TenantId, string>();
  const others = {
    field: new Map<TenantId, readonly SigningAuthority[]>(),
    office: new Map<TenantId, readonly SigningAuthority[]>(),
  };
  for (const { tenant, kid } of meant) {
    const load = (files: KeyFiles, rootPem: string, world: World) =>
      loadIssuer(files, { tenant, root: rootPem, world, passphrase, nowMs });
    const field = load(layout.issuing(tenant), root.pem, FIELD);
    const office = load(layout.office.issuing(tenant), officeRoot.pem, OFFICE);
    const fieldOthers = thereOf([layout.next(tenant), layout.former(tenant)], nowMs);
    const officeOthers = thereOf([layout.office.next(tenant), layout.office.former(tenant)], nowMs);
    others.field.set(
      tenant,
      fieldOthers.map((files) => load(files, root.pem, FIELD)),
    );
    others.office.set(
      tenant,
      officeOthers.map((files) => load(files, officeRoot.pem, OFFICE)),
    );
    authorities.set(tenant, field);
    officeAuthorities.set(tenant, office);
    const anchors = { root: officeRoot.pem, issuers: { [tenant]: office.certificatePem } };
    vouchers.set(tenant, vouch(field, tenant, anchors));
    const sealing = layout.sealing(tenant, kid).certificate;
    const certificate = readText(sealing);
    withFile(sealing, () =>
      recipientOf(certificate, { tenant, root: root.pem, atMs: nowMs, development: false }),
    );
    owners.set(tenant, { kid, certificate });
  }
  return {
    development: false,
    layout,
    tenants: [...authorities.keys()],
    root,
    authorities,
    owners,
    others,
    office: { layout: layout.office, root: officeRoot.pem, authorities: officeAuthorities, vouchers },
  };
}

function loadRoot(file: string, world: World, nowMs: number) {
  const pem = readText(file);
  const certificate = withFile(file, () => {
    pinAuthorities({ root: pem, issuers: [], development: false, world });
    return parseCertificate(derOf('CERTIFICATE', pem));
  });
  checkNotExpired(file, nowMs);
  return { certificate, pem };
}

function loadIssuer(
  files: KeyFiles,
  about: {
    readonly tenant: TenantId;
    readonly root: string;
    readonly world: World;
    readonly passphrase: string | undefined;
    readonly nowMs: number;
  },
): SigningAuthority {
  const { tenant, root, world, passphrase, nowMs } = about;
  const { certificate, privateKey } = withFile(files.key, () => loadAuthorityKey(files, { passphrase }));
  withFile(files.certificate, () =>
    pinAuthorities({
      root,
      issuers: [{ tenant, certificate: certificate.der }],
      development: false,
      world,
    }),
  );
  checkNotExpired(files.certificate, nowMs);
  return authorityOf(certificate.der, privateKey);
}

/** Both authorities of a tenant, with the register that they share. */
export interface TenantAuthorities {
  readonly register: Register;
  readonly field: Authority;
  readonly office: Authority;
}

/** @throws ERR_PKI_TENANT, ERR_CA_REGISTER */
export function tenantAuthorities(
  pki: OpenedPki,
  tenant: TenantId,
  clock: { nowMs(): number },
): TenantAuthorities {
  const fieldIssuer = pki.authorities.get(tenant);
  const officeIssuer = pki.office?.authorities.get(tenant);
  if (fieldIssuer === undefined || officeIssuer === undefined)
    throw pkiError('ERR_PKI_TENANT', `there is no issuing CA of ${tenant}`);
  const { layout } = pki;
  const register = openRegister({ path: layout.ca(tenant), owner: tenant, clock });
  const authority = (issuer: SigningAuthority, others: readonly SigningAuthority[], file: string) =>
    createAuthority({
      register,
      tenant,
      issuer,
      others,
      clock,
      crl: {
        file,
        // Nobody publishes beside `npm start`, and a stale list stops every device of the tenant (making.ts).
        validityMs: pki.development ? Number.POSITIVE_INFINITY : CRL_VALIDITY_MS,
      },
    });
  return {
    register,
    field: authority(fieldIssuer, pki.others?.field.get(tenant) ?? [], layout.crl(tenant)),
    office: authority(officeIssuer, pki.others?.office.get(tenant) ?? [], layout.office.crl(tenant)),
  };
}

/** The CA of fronts. @throws ERR_PKI_PASSPHRASE, ERR_PKI_DAMAGED, ERR_PKI_RIGHTS, ERR_CA_REGISTER */
export function headEndAuthority(
  options: { readonly directory: string; readonly passphrase?: string | undefined },
  clock: { nowMs(): number },
): Authority {
  const layout = pkiLayout(resolve(options.directory));
  const { development } = readManifest(options.directory);
  const { passphrase } = options;
  const { headEnd } = layout;
  const { certificate, privateKey } = withFile(headEnd.key, () =>
    loadAuthorityKey(headEnd, { passphrase, development }),
  );
  return createAuthority({
    register: openRegister({ path: layout.ca('head-end'), owner: 'head-end', clock }),
    issuer: authorityOf(certificate.der, privateKey),
    clock,
  });
}
