import { join } from 'node:path';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';

const pair = (path: string) => ({ certificate: `${path}.crt`, key: `${path}.key` });

/** Where the files of a PKI lie under `<data>/pki`. Front and routers are given their own few of them. */
export function pkiLayout(directory: string) {
  const at = (...parts: string[]) => join(directory, ...parts);
  return {
    directory,
    manifest: at('manifest.json'),
    root: { certificate: at('field', 'root.crt'), key: at('field', 'root.key') },
    /** The head-end's own CA; a hyphen is no part of a tenant's name. */
    headEnd: {
      certificate: at('field', 'head-end', 'issuing.crt'),
      key: at('field', 'head-end', 'issuing.key'),
    },
    /** The certificate file holds the chain without the root. */
    front: { certificate: at('front', 'server.crt'), key: at('front', 'server.key') },
    issuing: (tenant: TenantId) => ({
      certificate: at('field', tenant, 'issuing.crt'),
      key: at('field', tenant, 'issuing.key'),
    }),
    /** During a roll-over: the CA that comes, then the one that was (rollover/). */
    next: (tenant: TenantId) => pair(at('field', tenant, 'next')),
    former: (tenant: TenantId) => pair(at('field', tenant, 'former')),
    /** Of the present CA and, during a roll-over, of the other one. */
    crl: (tenant: TenantId) => at('field', tenant, 'crl.pem'),
    /** What a roll-over of this tenant's keys has come to; there while one is under way. */
    rollover: (tenant: TenantId) => at('rollover', `${tenant}.json`),
    /** What devices are told (notice.ts). */
    notice: (tenant: TenantId) => at('field', tenant, 'notice.cose'),
    sealingDirectory: (tenant: TenantId) => at(tenant, 'sealing'),
    /** The certificate file holds the issuing CA's after it. */
    sealing: (tenant: TenantId, kid: string) => ({
      certificate: at(tenant, 'sealing', `${kid}.crt`),
      key: at(tenant, 'sealing', `${kid}.key`),
    }),
    office: officeLayout(at('office')),
    /** What the CAs of an owner issued and took back, whom they expect, and who asked (ca/register.ts). */
    ca: (owner: TenantId | 'head-end') => at('ca', `${owner}.db`),
    /** What was issued to devices that asked: one answer per request, and which request each key came with. */
    register: {
      answer: (request: string) => at('register', 'requests', `${request}.json`),
      key: (keyHash: string) => at('register', 'keys', keyHash),
    },
  } as const;
}
export type PkiLayout = ReturnType<typeof pkiLayout>;

/** The office under `<data>/pki/office`: it is made at once, also beside a PKI that was made before there was one. */
export function officeLayout(directory: string) {
  const at = (...parts: string[]) => join(directory, ...parts);
  return {
    directory,
    root: { certificate: at('root.crt'), key: at('root.key') },
    issuing: (tenant: TenantId) => ({
      certificate: at(tenant, 'issuing.crt'),
      key: at(tenant, 'issuing.key'),
    }),
    next: (tenant: TenantId) => pair(at(tenant, 'next')),
    former: (tenant: TenantId) => pair(at(tenant, 'former')),
    crl: (tenant: TenantId) => at(tenant, 'crl.pem'),
    /** The server of the tenant's API; the certificate file holds the issuing CA's after its own. */
    desk: (tenant: TenantId) => ({ certificate: at(tenant, 'desk.crt'), key: at(tenant, 'desk.key') }),
    /** Somebody's identity, which he keeps; the passphrase lies beside it in development only. */
    person: (tenant: TenantId, name: string) => ({
      identity: at(tenant, 'people', `${name}.json`),
      passphrase: at(tenant, 'people', `${name}.passphrase`),
    }),
  } as const;
}
export type OfficeLayout = ReturnType<typeof officeLayout>;

/** Where a device keeps its identity under `<data>/devices`. */
export const deviceIdentityFile = (devicesDirectory: string, device: DeviceId): string =>
  join(devicesDirectory, device, 'identity.json');
