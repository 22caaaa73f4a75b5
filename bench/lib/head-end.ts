import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SimulatedClockConfig } from '../../gateway/cli/up/clock.ts';
import { makeDeskFolder, registryFile } from '../../gateway/cli/up/desks.ts';
import { readOptions } from '../../gateway/cli/up/options.ts';
import { planProcesses } from '../../gateway/cli/up/plan.ts';
import { freePorts } from '../../gateway/cli/up/ports.ts';
import type { MeterLine } from '../../gateway/desk/service/registry-file.ts';
import type { ChildSpec } from '../../gateway/runtime/child.ts';
import { createLog } from '../../gateway/runtime/log.ts';
import { Supervisor } from '../../gateway/runtime/supervisor.ts';
import { createDevelopmentPki, type DevelopmentPki } from '../../pki/development/development.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { BenchRequest } from './bench.ts';

export interface HeadEndOptions extends Pick<BenchRequest, 'nodeFlags' | 'profile'> {
  readonly tenants: readonly TenantId[];
  /** What routers take for the time when they start. */
  readonly nowMs: number;
  /** Days that a router still takes. */
  readonly ageDaysMax: number;
  /** Desks too; each is told of its meters by `registry`, once the PKI is there and before it starts. */
  readonly desks?: {
    registry(pki: DevelopmentPki, tenant: TenantId): Promise<readonly MeterLine[]>;
  };
}

/** The counts of one simulated MDM. */
export interface MdmCounts {
  readonly accepted: number;
  readonly duplicates: number;
  readonly misrouted: number;
}

/** Front, routers and simulated MDMs as processes of their own, planned and supervised as `hes up` does it. */
export interface HeadEnd {
  readonly folder: string;
  readonly port: number;
  readonly pki: DevelopmentPki;
  readonly clock: SimulatedClockConfig;
  readonly frontPid: number;
  readonly routerPids: ReadonlyMap<TenantId, number>;
  readonly mdmPid: number;
  readonly deskPids: ReadonlyMap<TenantId, number>;
  /** Where the API of a tenant's desk is. */
  deskUrl(tenant: TenantId): string;
  /** How often a process died and was started again: a run with any is worth nothing. */
  restarts(): number;
  /** Asked over HTTP, so that it is the state of now. */
  mdmCounts(tenant: TenantId): Promise<MdmCounts>;
  stop(): Promise<void>;
}

export async function startHeadEnd(options: HeadEndOptions): Promise<HeadEnd> {
  const { tenants, nowMs, ageDaysMax } = options;
  const folder = mkdtempSync(join(tmpdir(), 'hes-bench-'));
  const run = join(folder, 'run');
  mkdirSync(run, { mode: 0o700 });
  const pki = createDevelopmentPki({ directory: join(folder, 'pki'), tenants, nowMs: Date.now() });
  const [port, ...others] = (await freePorts(2 * tenants.length + 1)) as [number, ...number[]];
  const mdmPorts = others.slice(0, tenants.length);
  const deskPorts = new Map(tenants.map((tenant, at) => [tenant, others[tenants.length + at]!]));
  const clock = { kind: 'simulated', originMs: nowMs, startedAtMs: Date.now(), speed: 1 } as const;
  const plan = planProcesses({
    options: { ...(await readOptions({ port, once: true, logLevel: 'warn' })), tenants },
    pki,
    busDirectory: join(folder, 'bus'),
    run,
    devices: folder,
    clock,
    ageDaysMax,
    mdmPorts: new Map(tenants.map((tenant, at) => [tenant, mdmPorts[at]!])),
    ...(options.desks === undefined
      ? {}
      : { desks: { directory: makeDeskFolder(folder), ports: deskPorts } }),
  });
  // A child that dies says so: the run is worth nothing then.
  const supervisor = new Supervisor({ log: createLog({ name: 'bench', level: 'warn' }) });
  const stop = async (): Promise<void> => {
    await supervisor.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  const start = (spec: ChildSpec) => supervisor.start(spec);
  try {
    const [mdm, front] = await Promise.all([start(plan.mdm!), start(tried(plan.front, options))]);
    const routers = await Promise.all(plan.routers.map((spec) => start(tried(spec, options))));
    if (options.desks !== undefined)
      for (const tenant of tenants) {
        const lines = await options.desks.registry(pki, tenant);
        writeFileSync(registryFile(run, tenant), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      }
    const desks = await Promise.all(plan.desks.map((spec) => start(tried(spec, options))));
    return {
      folder,
      port,
      pki,
      clock,
      frontPid: front.pid!,
      routerPids: new Map(tenants.map((tenant, at) => [tenant, routers[at]!.pid!])),
      mdmPid: mdm.pid!,
      deskPids: new Map(desks.map((desk, at) => [tenants[at]!, desk.pid!])),
      deskUrl: (tenant) => `https://127.0.0.1:${deskPorts.get(tenant)}`,
      restarts: () => supervisor.children.reduce((sum, child) => sum + child.restarts, 0),
      async mdmCounts(tenant) {
        const response = await fetch(`http://127.0.0.1:${mdmPorts[tenants.indexOf(tenant)]}/`);
        return ((await response.json()) as { counts: MdmCounts }).counts;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A process of the plan with the flags that are being tried on top. */
function tried(spec: ChildSpec, { nodeFlags, profile }: HeadEndOptions): ChildSpec {
  const profiling =
    profile === undefined
      ? []
      : [
          `--allow-fs-write=${profile}`,
          '--allow-inspector',
          '--cpu-prof',
          `--cpu-prof-dir=${profile}`,
          `--cpu-prof-name=${spec.name}.cpuprofile`,
        ];
  return { ...spec, nodeFlags: [...(spec.nodeFlags ?? []), ...nodeFlags, ...profiling] };
}
