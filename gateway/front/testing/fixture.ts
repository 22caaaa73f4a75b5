import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createDevelopmentPki,
  type DevelopmentPki,
  type DeviceRequest,
  issueDevice,
} from '../../../pki/development/development.ts';
import type { DeviceIdentity } from '../../../pki/trust.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import type { Clock } from '../../runtime/clock.ts';
import { parseConfig } from '../../runtime/config.ts';
import { Counters } from '../../runtime/counters.ts';
import { silentLog } from '../../runtime/log.ts';
import { type FrontConfig, frontConfigSchema } from '../config.ts';
import { type RunningFront, startFront } from '../front.ts';
import type { FrontLimits } from '../limits.ts';
import { FakeBus } from './fake-bus.ts';

export const ORES = 'ores' as TenantId;
export const FLUVIUS = 'fluvius' as TenantId;
export const FARYS = 'farys' as TenantId;
export const TENANTS = [ORES, FLUVIUS, FARYS];

/** A head-end's PKI in a temporary folder. */
export class Field {
  readonly directory: string;
  readonly pki: DevelopmentPki;

  constructor(tenants: readonly TenantId[] = TENANTS) {
    this.directory = mkdtempSync(join(tmpdir(), 'hes-front-'));
    this.pki = createDevelopmentPki({ directory: join(this.directory, 'pki'), tenants, nowMs: Date.now() });
  }

  device(
    home: TenantId,
    request: Omit<DeviceRequest, 'home'> & { readonly nowMs?: number } = {},
  ): DeviceIdentity {
    return issueDevice(this.pki, { nowMs: Date.now(), ...request, home });
  }

  /** What a front of this field is configured with, as an object before any check. */
  rawConfig(limits: Partial<FrontLimits> = {}, tenants: readonly TenantId[] = TENANTS) {
    const { layout } = this.pki;
    return {
      listen: { port: 0 },
      tls: layout.front,
      root: layout.root.certificate,
      tenants: Object.fromEntries(
        tenants.map((tenant) => [
          tenant,
          { issuing: [layout.issuing(tenant).certificate], crls: [layout.crl(tenant)] },
        ]),
      ),
      limits,
      development: true,
    };
  }

  config(limits: Partial<FrontLimits> = {}, tenants: readonly TenantId[] = TENANTS): FrontConfig {
    return parseConfig(frontConfigSchema, this.rawConfig(limits, tenants));
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export interface Door {
  readonly front: RunningFront;
  readonly port: number;
  readonly counters: Counters;
  readonly buses: Map<TenantId, FakeBus>;
  bus(tenant: TenantId): FakeBus;
  stop(): Promise<void>;
}

/** A running front with buses whose routers the test plays. */
export async function openDoor(
  field: Field,
  options: {
    readonly limits?: Partial<FrontLimits>;
    readonly clock?: Clock;
    readonly tenants?: readonly TenantId[];
    readonly tls?: FrontConfig['tls'];
  } = {},
): Promise<Door> {
  const counters = new Counters();
  const buses = new Map<TenantId, FakeBus>();
  const config = field.config(options.limits, options.tenants);
  const front = await startFront({
    config: options.tls === undefined ? config : { ...config, tls: options.tls },
    bus: (tenant) => {
      const bus = new FakeBus(tenant);
      buses.set(tenant, bus);
      return bus;
    },
    log: silentLog,
    counters,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  return {
    front,
    port: front.port,
    counters,
    buses,
    bus: (tenant) => buses.get(tenant)!,
    stop: () => front.stop(),
  };
}

/** Wait for a count, which the front may raise a moment after the device has noticed. */
export async function counted(counters: Counters, name: string, value = 1): Promise<number> {
  for (let tries = 0; counters.get(name) < value && tries < 250; tries += 1)
    await new Promise((resolve) => setTimeout(resolve, 10));
  return counters.get(name);
}
