import { startMdmStandIns } from '../../deploy/mdm-standin/service.ts';
import { startLocalHub } from '../../gateway/bus/local/hub.ts';
import { connectLocalBus } from '../../gateway/bus/local/peer.ts';
import type { TenantBus } from '../../gateway/bus/port.ts';
import { PROCESS_CONFIGS } from '../../gateway/cli/process-configs.ts';
import { startFront } from '../../gateway/front/front.ts';
import type { RouterConfig } from '../../gateway/router/config.ts';
import { startRouter } from '../../gateway/router/router.ts';
import { parseConfig } from '../../gateway/runtime/config.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { silentLog } from '../../gateway/runtime/log.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { Field } from './field.ts';
import { type GroundOptions, layPlan } from './ground.ts';
import { type AcceptedRecord, readRecords } from './records.ts';

export interface HeadEndOptions extends GroundOptions {
  /** What the front puts between itself and a tenant's bus: a front that was taken over. */
  readonly tamper?: (bus: TenantBus) => TenantBus;
  /** Tenants whose router runs; all of the field, unless told. */
  readonly served?: readonly TenantId[];
}

/**
 * A whole head-end in this process: front, routers and simulated MDMs of every tenant of a field, over real TLS, a
 * real local bus and real HTTP, configured as `hes up` does it. Beside it `processes.ts` has the same as processes.
 */
export interface HeadEnd {
  readonly port: number;
  readonly busDirectory: string;
  /** The front's. */
  readonly counters: Counters;
  /** The front's side of a tenant's bus, untampered. */
  bus(tenant: TenantId): TenantBus;
  routerCounters(tenant: TenantId): Counters;
  /** What a tenant's router was configured with. */
  routerConfig(tenant: TenantId): RouterConfig;
  /** `mdm.<tenant>.<what>`, of all simulated MDMs. */
  readonly mdmCounters: Counters;
  /** Where a tenant's MDM takes records. */
  mdmUrl(tenant: TenantId): string;
  /** What each tenant's MDM accepted so far. */
  records(tenant: TenantId): AcceptedRecord[];
  stop(): Promise<void>;
}

export async function startHeadEnd(field: Field, options: HeadEndOptions = {}): Promise<HeadEnd> {
  const { tamper = (bus) => bus, served = field.tenants } = options;
  const laid = await layPlan(field, options);
  const counters = new Counters();
  const mdmCounters = new Counters();
  const routerCounters = new Map(field.tenants.map((tenant) => [tenant, new Counters()]));
  const routerConfigs = new Map(
    field.tenants.map((tenant) => {
      const { bus: _, ...config } = parseConfig(PROCESS_CONFIGS.router, laid.routers.get(tenant)!.config);
      return [tenant, config];
    }),
  );
  const mdmUrls = new Map<string, string>();
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const last of stops.splice(0).reverse()) await last();
  };
  try {
    for (const [, spec] of laid.mdms) {
      const config = parseConfig(PROCESS_CONFIGS.mdm, spec.config);
      const mdm = await startMdmStandIns({ config, log: silentLog, counters: mdmCounters });
      stops.push(() => mdm.stop());
      for (const [tenant, url] of Object.entries(mdm.urls)) mdmUrls.set(tenant, url);
    }
    const directory = laid.busDirectory;
    const hub = await startLocalHub({ directory, tenants: field.tenants, log: silentLog, counters });
    stops.push(() => hub.close());
    for (const tenant of served) {
      const bus = connectLocalBus({ directory, tenant, log: silentLog });
      stops.push(() => bus.close());
      const router = await startRouter({
        config: routerConfigs.get(tenant)!,
        bus,
        log: silentLog,
        counters: routerCounters.get(tenant)!,
      });
      stops.push(() => router.stop());
    }
    const { bus: _, ...config } = parseConfig(PROCESS_CONFIGS.front, laid.front.config);
    const front = await startFront({
      config,
      bus: (tenant) => tamper(hub.bus(tenant)),
      log: silentLog,
      counters,
    });
    stops.push(() => front.stop());
    return {
      port: front.port,
      busDirectory: directory,
      counters,
      mdmCounters,
      bus: (tenant) => hub.bus(tenant),
      routerConfig: (tenant) => routerConfigs.get(tenant)!,
      mdmUrl: (tenant) => mdmUrls.get(tenant)!,
      routerCounters: (tenant) => routerCounters.get(tenant)!,
      records: (tenant) => readRecords(laid.recordsFile(tenant)),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
