import { existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TenantId } from '../../protocol/identity.ts';
import { keepInCrlFile, listOf, putIntoCrlFile } from '../files/crl-file.ts';
import { makeFolder, readText, replaceFile, syncFolder, withFile } from '../files/files.ts';
import type { PkiLayout } from '../files/layout.ts';
import { LOCK_WAIT_MS, withLock } from '../files/lock.ts';
import { parseAnyManifest } from '../files/manifest.ts';
import type { KeyFiles } from '../keys/keys.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { derOf, readPem, toPem } from '../x509/pem.ts';
import { destroyKeyFile } from './destroy.ts';
import { type RolloverPhase, type RolloverPlan, readPlan, writePlan } from './plan.ts';

/**
 * What a roll-over does with files, without opening any key: each step goes on from wherever the one before it stopped,
 * and may be made again. Whoever opens the PKI makes it first, so that nobody meets a key beside another's certificate.
 */

/** Where the files of a CA of either world lie. */
export interface CaPlaces {
  readonly present: KeyFiles;
  readonly next: KeyFiles;
  readonly former: KeyFiles;
  readonly crl: string;
}

export function caPlaces(layout: PkiLayout, tenant: TenantId, kind: 'field' | 'office'): CaPlaces {
  const world = kind === 'field' ? layout : layout.office;
  return {
    present: world.issuing(tenant),
    next: world.next(tenant),
    former: world.former(tenant),
    crl: world.crl(tenant),
  };
}

/** Whoever changes a plan, or goes on with it, does so alone. @throws ERR_PKI_BUSY */
export function withPlan<Result>(layout: PkiLayout, tenant: TenantId, work: () => Result): Result {
  const file = layout.rollover(tenant);
  makeFolder(dirname(file), true);
  return withLock(`${file}.lock`, LOCK_WAIT_MS, work);
}

/**
 * Go on with what the power or a signal cut off, as far as files go. Cheap where there is no plan.
 * @returns the plan as it then stands
 * @throws ERR_PKI_BUSY, ERR_PKI_DAMAGED, ERR_PKI_RIGHTS
 */
export function settleFiles(layout: PkiLayout, tenant: TenantId): RolloverPlan | undefined {
  const plan = readPlan(layout, tenant);
  // Most that open a PKI may not write beside it, and there is mostly nothing to write.
  if (plan === undefined || !UNSETTLED.includes(plan.phase)) return plan;
  return withPlan(layout, tenant, () => settled(layout, tenant));
}
const UNSETTLED: readonly RolloverPhase[] = ['placing', 'switching', 'destroying'];

/** The same, where the lock is held. */
export function settled(layout: PkiLayout, tenant: TenantId): RolloverPlan | undefined {
  const plan = readPlan(layout, tenant);
  if (plan === undefined) return undefined;
  if (plan.phase === 'placing') return place(layout, plan);
  if (plan.phase === 'switching') return change(layout, plan);
  if (plan.phase !== 'destroying') return plan;
  destroy(layout, plan);
  return undefined;
}

function place(layout: PkiLayout, plan: RolloverPlan): RolloverPlan {
  const { tenant, kind, ca, crl, files } = plan;
  for (const { path, text } of files) replaceFile(join(layout.directory, path), text);
  // After its certificate: a list of a CA that nobody pins is refused.
  if (kind !== 'sealing' && ca !== null && crl !== null) {
    const file = caPlaces(layout, tenant, kind).crl;
    withLock(`${file}.lock`, LOCK_WAIT_MS, () => {
      // A newer one may have been published between the cut and now.
      if (listOf(file, ca.new) === undefined) putIntoCrlFile(file, ca.new, derOf('X509 CRL', crl));
    });
  }
  return writePlan(layout, { ...plan, phase: 'placed', files: [], crl: null });
}

function change(layout: PkiLayout, plan: RolloverPlan): RolloverPlan {
  const { tenant, kind, kid, ca } = plan;
  if (kind !== 'sealing' && ca !== null) changeCa(caPlaces(layout, tenant, kind), ca);
  if (kid !== null) announceKid(layout, tenant, kid.new);
  return writePlan(layout, { ...plan, phase: 'switched' });
}

/** The present CA becomes the former one, the next one the present; what is there already was done before the cut. */
function changeCa(places: CaPlaces, ca: { readonly old: string; readonly new: string }): void {
  const { present, next, former, crl } = places;
  // The last to go: as long as it is there, not everything is done.
  if (existsSync(next.key)) {
    const certificates = certificatesOf(present.certificate);
    const old = certificates.find(({ keyId }) => keyId === ca.old);
    const coming = certificates.find(({ keyId }) => keyId === ca.new);
    if (old === undefined || coming === undefined)
      withFile(present.certificate, () => {
        throw new Error('it holds not both CAs of the roll-over');
      });
    else {
      // The old key is copied before it is replaced, and is not copied again once it is.
      if (!existsSync(former.certificate)) {
        replaceFile(former.key, readText(present.key));
        replaceFile(former.certificate, old.pem);
      }
      replaceFile(present.key, readText(next.key));
      replaceFile(present.certificate, coming.pem + old.pem);
      rmSync(next.certificate, { force: true });
      rmSync(next.key, { force: true });
      syncFolder(dirname(next.key));
    }
  }
  withLock(`${crl}.lock`, LOCK_WAIT_MS, () => keepInCrlFile(crl, [ca.new, ca.old]));
}

/** The key that devices are told of from now on. */
function announceKid(layout: PkiLayout, tenant: TenantId, kid: string): void {
  const file = layout.manifest;
  withFile(file, () => {
    const manifest = parseAnyManifest(JSON.parse(readText(file)));
    const tenants = manifest.tenants.map((row) => (row.tenant === tenant ? { ...row, kid } : row));
    replaceFile(file, `${JSON.stringify({ ...manifest, tenants }, null, 2)}\n`);
  });
}

function destroy(layout: PkiLayout, { tenant, kind, kid, ca }: RolloverPlan): void {
  if (kind !== 'sealing' && ca !== null) {
    const { present, former, crl } = caPlaces(layout, tenant, kind);
    const kept = certificatesOf(present.certificate).filter(({ keyId }) => keyId === ca.new);
    replaceFile(present.certificate, kept.map(({ pem }) => pem).join(''));
    withLock(`${crl}.lock`, LOCK_WAIT_MS, () => keepInCrlFile(crl, [ca.new]));
    destroyKeyFile(former.key);
    rmSync(former.certificate, { force: true });
    syncFolder(dirname(former.certificate));
  }
  if (kid !== null) {
    const old = layout.sealing(tenant, kid.old);
    destroyKeyFile(old.key);
    rmSync(old.certificate, { force: true });
    syncFolder(dirname(old.certificate));
  }
  const file = layout.rollover(tenant);
  rmSync(file, { force: true });
  syncFolder(dirname(file));
}

/** The CAs of a file, by key identifier. */
function certificatesOf(file: string): { readonly keyId: string | null; readonly pem: string }[] {
  return withFile(file, () =>
    readPem('CERTIFICATE', readText(file)).map((der) => ({
      keyId: parseCertificate(der).subjectKeyId,
      pem: toPem('CERTIFICATE', der),
    })),
  );
}
