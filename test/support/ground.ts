import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SimulatedClockConfig } from '../../gateway/cli/up/clock.ts';
import { readOptions } from '../../gateway/cli/up/options.ts';
import { type Plan, planProcesses } from '../../gateway/cli/up/plan.ts';
import { freePorts } from '../../gateway/cli/up/ports.ts';
import type { ChildSpec } from '../../gateway/runtime/child.ts';
import type { LogLevel } from '../../gateway/runtime/log.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { Field } from './field.ts';

/** Days that a router takes, unless a test says otherwise. */
const AGE_DAYS_MAX = 3_650;

/** Members to put over a configuration, objects within objects. */
export interface Patch {
  readonly [name: string]: unknown;
}

export interface GroundOptions {
  /** What routers and meters judge readings by; the real time where it is left out. */
  readonly clock?: SimulatedClockConfig;
  readonly logLevel?: LogLevel;
  /** What is to be other than `hes up` has it. */
  readonly front?: Patch;
  readonly router?: (tenant: TenantId) => Patch;
  /** Whose MDM a tenant's router delivers to: its own, unless an attack wants it otherwise. */
  readonly route?: (tenant: TenantId) => TenantId;
}

/** The same plan that `hes up` starts, on the field of a test: what is proved is proved of the real thing. */
export interface LaidPlan {
  readonly plan: Plan;
  readonly front: ChildSpec;
  readonly routers: ReadonlyMap<TenantId, ChildSpec>;
  readonly mdms: ReadonlyMap<TenantId, ChildSpec>;
  readonly busDirectory: string;
  readonly port: number;
  /** Where the MDM of a tenant writes what it accepted. */
  recordsFile(tenant: TenantId): string;
}

export async function layPlan(field: Field, options: GroundOptions = {}): Promise<LaidPlan> {
  const { tenants, pki } = field;
  const folder = field.headEndFolder();
  const busDirectory = join(folder, 'bus');
  const mdmFolder = join(folder, 'mdm');
  mkdirSync(mdmFolder, { recursive: true, mode: 0o700 });
  mkdirSync(busDirectory, { mode: 0o700 });
  const startedAtMs = Date.now();
  const [port, ...mdmPorts] = await freePorts(tenants.length + 1);
  const upOptions = {
    ...(await readOptions({ port: port!, once: true, logLevel: options.logLevel ?? 'info' })),
    tenants,
  };
  const plan = planProcesses({
    options: upOptions,
    pki,
    busDirectory,
    run: mdmFolder,
    devices: join(field.directory, 'devices'),
    clock: options.clock ?? { kind: 'simulated', originMs: startedAtMs, startedAtMs, speed: 1 },
    ageDaysMax: AGE_DAYS_MAX,
    mdmPorts: new Map(tenants.map((tenant, at) => [tenant, mdmPorts[at]!])),
  });
  const portOf = (tenant: TenantId): number => mdmPorts[tenants.indexOf(tenant)]!;
  const recordsFile = (tenant: TenantId): string => join(mdmFolder, `${tenant}.jsonl`);
  return {
    plan,
    busDirectory,
    port: port!,
    recordsFile,
    front: patched(plan.front, options.front),
    routers: new Map(
      tenants.map((tenant, at) => [
        tenant,
        patched(
          patched(plan.routers[at]!, options.router?.(tenant)),
          options.route && { mdm: { url: `http://127.0.0.1:${portOf(options.route(tenant))}/` } },
        ),
      ]),
    ),
    // `hes up` has one process for all simulated MDMs; here each can be killed, stopped or searched by itself.
    mdms: new Map(
      tenants.map((tenant) => [
        tenant,
        {
          ...patched(plan.mdm!),
          name: `mdm-${tenant}`,
          config: {
            tenants: [{ tenant, port: portOf(tenant), store: join(mdmFolder, `${tenant}.keys`) }],
            mdmOut: recordsFile(tenant),
          },
        },
      ]),
    ),
  };
}

/** Fifteen processes at once on two cores that others use as well. */
const READY_WITHIN_MS = 100_000;

/** A child like the one planned, with another configuration. */
export function patched(spec: ChildSpec, patch: Patch = {}): ChildSpec {
  return { ...spec, readyWithinMs: READY_WITHIN_MS, config: merged(spec.config, patch) };
}

function merged(base: unknown, patch: unknown): unknown {
  if (!isPlain(base) || !isPlain(patch)) return patch;
  const result: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(patch))
    result[name] = name in base ? merged(base[name], value) : value;
  return result;
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
