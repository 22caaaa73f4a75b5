import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { tenantAuthorities } from '../ca/open.ts';
import type { Register } from '../ca/register.ts';
import { createDevelopmentPki, type DevelopmentPki } from '../development/development.ts';
import { type EstServer, startEst } from '../est/server.ts';
import { newSealingNotice } from './notice.ts';

/** An EST server of a development PKI, and the register behind it. */
export interface EstWorld {
  readonly pki: DevelopmentPki;
  readonly register: Register;
  /** For `https://localhost`; the name is in the server's certificate. */
  readonly url: string;
  readonly notices: Map<TenantId, Uint8Array>;
  readonly counts: Map<string, number>;
  /** A device that is expected, and a code for it. */
  expect(device: DeviceId, guests?: readonly TenantId[]): string;
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;

export async function startEstWorld(
  directory: string,
  tenants: readonly [TenantId, ...TenantId[]],
  manufacturers: readonly string[] = [],
): Promise<EstWorld> {
  const [home] = tenants;
  const nowMs = Date.now();
  const pki = createDevelopmentPki({ directory, tenants, nowMs });
  const { register, field } = tenantAuthorities({ ...pki, development: true }, home, { nowMs: Date.now });
  const notices = new Map(tenants.map((tenant) => [tenant, newSealingNotice(pki, tenant).signed]));
  const counts = new Map<string, number>();
  const { certificate, key } = pki.layout.front;
  const est: EstServer = await startEst({
    authority: field,
    cacerts: [pki.root.certificate.der, field.issuer.certificate.der],
    manufacturers: manufacturers.map((pem) => new X509Certificate(pem)),
    clock: { nowMs: Date.now },
    notice: (tenant) => notices.get(tenant),
    listen: { host: '127.0.0.1', port: 0 },
    tls: { cert: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') },
    perMinute: 100_000,
    count: (name) => void counts.set(name, (counts.get(name) ?? 0) + 1),
    onFault: (error) => {
      throw error;
    },
  });
  return {
    pki,
    register,
    url: `https://127.0.0.1:${est.port}`,
    notices,
    counts,
    expect(device, guests = []) {
      register.devices.add({ device, home, guests }, 'test');
      return register.devices.newCode(device, nowMs + DAY_MS, 'test');
    },
    async close() {
      await est.stop();
      register.close();
    },
  };
}
