import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createDevelopmentPki,
  type DevelopmentPki,
  type DeviceIdentity,
  issueDevice,
  saveDeviceIdentity,
} from '../../pki/development/development.ts';
import { type Recipient, recipientOf } from '../../pki/trust.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { CONSORTIUM } from '../../protocol/tenants.ts';

/** The seven operators of the consortium. */
export const TENANTS: readonly TenantId[] = CONSORTIUM.map(({ id }) => id);

/** Every tenant with every other: what a matrix of attacks runs over. */
export const PAIRS: readonly (readonly [TenantId, TenantId])[] = TENANTS.flatMap((one) =>
  TENANTS.filter((other) => other !== one).map((other) => [one, other] as const),
);

/** A folder of its own with a fresh development PKI in it: the ground that head-ends and devices stand on. */
export class Field {
  readonly directory: string;
  readonly tenants: readonly TenantId[];
  readonly pki: DevelopmentPki;
  #headEnds = 0;

  /** @param directory an existing folder; a fresh one under the system's for temporary files where it is left out */
  constructor(
    tenants: readonly TenantId[] = TENANTS,
    directory = mkdtempSync(join(tmpdir(), 'hes-system-')),
  ) {
    this.directory = directory;
    this.tenants = tenants;
    this.pki = createDevelopmentPki({ directory: join(directory, 'pki'), tenants, nowMs: Date.now() });
  }

  /** Enrol a device in memory; `guests` are the other tenants whose meters it carries. */
  device(home: TenantId, guests: readonly TenantId[] = [], device?: DeviceId): DeviceIdentity {
    return issueDevice(this.pki, {
      home,
      guests,
      nowMs: Date.now(),
      ...(device === undefined ? {} : { device }),
    });
  }

  /** Write an identity to `<directory>/devices/<id>/identity.json`; returns the device's folder. */
  save(identity: DeviceIdentity): string {
    const devices = join(this.directory, 'devices');
    saveDeviceIdentity(devices, identity, { durable: false });
    return join(devices, identity.device);
  }

  /** The public sealing key of a tenant. */
  recipient(tenant: TenantId): Recipient {
    return recipientOf(this.pki.owners.get(tenant)!.certificate, {
      tenant,
      root: this.pki.root.pem,
      atMs: Date.now(),
      development: true,
    });
  }

  /** A folder for one head-end; several may stand on one field. */
  headEndFolder(): string {
    this.#headEnds += 1;
    return join(this.directory, `h${this.#headEnds}`);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
