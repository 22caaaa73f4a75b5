import { existsSync, rmSync } from 'node:fs';
import { isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { checkNotExpired, moveIntoPlace, sweepLeftovers, writeFiles } from '../files/atomic.ts';
import { beside, readText, withFile } from '../files/files.ts';
import { type OfficeLayout, officeLayout } from '../files/layout.ts';
import type { OfficeAnchors } from '../identity.ts';
import { loadDeskServerKey, loadKey } from '../keys/keys.ts';
import { pinAuthorities } from '../verify/anchors.ts';
import { OFFICE } from '../verify/worlds.ts';
import { authorityOf, type SigningAuthority } from '../x509/certify.ts';
import { parseCrl } from '../x509/crl.ts';
import { derOf } from '../x509/pem.ts';
import { type VouchedOffice, vouch } from './anchors.ts';
import { generateOffice } from './generate.ts';

/** An opened development office: it can issue people, so it belongs to `hes up` and the tests, never to a service. */
export interface DevelopmentOffice {
  readonly layout: OfficeLayout;
  /** PEM. */
  readonly root: string;
  readonly authorities: ReadonlyMap<TenantId, SigningAuthority>;
  /** Per tenant, the field CA's word for this office (anchors.ts). */
  readonly vouchers: ReadonlyMap<TenantId, string>;
}

/**
 * Make the office where there is none yet: beside its place, then moved there whole. Of two starts at once one wins,
 * and both end with the same.
 * @throws ERR_PKI_RIGHTS, ERR_PKI_DAMAGED
 */
export function makeOfficeIfAbsent(layout: OfficeLayout, tenants: readonly TenantId[], nowMs: number): void {
  const { directory } = layout;
  if (existsSync(directory)) return;
  sweepLeftovers(directory);
  const fresh = beside(directory);
  try {
    writeFiles(generateOffice(officeLayout(fresh), tenants, nowMs));
    moveIntoPlace(fresh, directory);
  } catch (error) {
    if (!isHesError(error, 'ERR_PKI_EXISTS')) throw error;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/**
 * Open the office and check what devices and desks will need of it; people's files are checked by those who use them.
 * @returns undefined where there is none
 * @throws ERR_PKI_DAMAGED, ERR_PKI_RIGHTS, ERR_PKI_EXPIRED
 */
export function loadOffice(
  layout: OfficeLayout,
  field: ReadonlyMap<TenantId, SigningAuthority>,
  nowMs: number,
): DevelopmentOffice | undefined {
  if (!existsSync(layout.directory)) return undefined;
  const rootFile = layout.root.certificate;
  const root = readText(rootFile);
  withFile(rootFile, () => pinAuthorities({ root, issuers: [], development: true, world: OFFICE }));
  checkNotExpired(rootFile, nowMs);
  const authorities = new Map<TenantId, SigningAuthority>();
  const vouchers = new Map<TenantId, string>();
  for (const [tenant, fieldAuthority] of field) {
    const authority = loadAuthority(layout, tenant, root, nowMs);
    authorities.set(tenant, authority);
    const anchors = { root, issuers: { [tenant]: authority.certificatePem } };
    vouchers.set(tenant, vouch(fieldAuthority, tenant, anchors));
  }
  return { layout, root, authorities, vouchers };
}

function loadAuthority(
  layout: OfficeLayout,
  tenant: TenantId,
  root: string,
  nowMs: number,
): SigningAuthority {
  const files = layout.issuing(tenant);
  const { certificate, privateKey } = withFile(files.key, () => loadKey(files, { development: true }));
  withFile(files.certificate, () =>
    pinAuthorities({
      root,
      issuers: [{ tenant, certificate: certificate.der }],
      development: true,
      world: OFFICE,
    }),
  );
  checkNotExpired(files.certificate, nowMs);
  const crl = layout.crl(tenant);
  withFile(crl, () => parseCrl(derOf('X509 CRL', readText(crl))));
  const desk = layout.desk(tenant);
  withFile(desk.key, () => loadDeskServerKey(desk, { tenant, development: true }));
  checkNotExpired(desk.certificate, nowMs);
  return authorityOf(certificate.der, privateKey);
}

/** What devices of these tenants are given. @throws ERR_PKI_TENANT */
export function officeAnchors(office: DevelopmentOffice, tenants: readonly TenantId[]): OfficeAnchors {
  const { root, issuers } = vouchedOffice(office, tenants);
  return { root, issuers };
}

/** What an answer to an enrolment carries. @throws ERR_PKI_TENANT */
export function vouchedOffice(office: DevelopmentOffice, tenants: readonly TenantId[]): VouchedOffice {
  const issuers: Record<string, string> = {};
  const vouchers: Record<string, string> = {};
  for (const tenant of tenants) {
    const authority = office.authorities.get(tenant);
    const voucher = office.vouchers.get(tenant);
    if (authority === undefined || voucher === undefined)
      throw pkiError('ERR_PKI_TENANT', `there is no office of ${tenant}`, { context: { tenant } });
    issuers[tenant] = authority.certificatePem;
    vouchers[tenant] = voucher;
  }
  return { root: office.root, issuers, vouchers };
}
