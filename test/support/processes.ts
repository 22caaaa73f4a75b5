import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Child, ChildSpec, RestartPolicy } from '../../gateway/runtime/child.ts';
import { Supervisor } from '../../gateway/runtime/supervisor.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { Field } from './field.ts';
import { type GroundOptions, layPlan, type Patch } from './ground.ts';
import { type AcceptedRecord, readRecords } from './records.ts';

export interface ProcessesOptions extends GroundOptions {
  readonly onLine?: (child: string, line: string) => void;
  readonly restart?: Partial<RestartPolicy>;
  /** A last change to what is about to be started: another program, environment or flags. */
  readonly change?: (spec: ChildSpec) => ChildSpec;
}

/**
 * The same head-end as processes of their own under the real supervisor: `front`, `router-<tenant>` and
 * `mdm-<tenant>`, started with the flags and configurations of `hes up` (only that each tenant's MDM is a process by
 * itself). Ports are chosen once, so whatever was killed comes back where it was.
 */
export interface HeadEndProcesses {
  readonly port: number;
  readonly supervisor: Supervisor;
  readonly front: Child;
  router(tenant: TenantId): Child;
  mdm(tenant: TenantId): Child;
  /** The configuration of the meters' side, for `hes fleet`. */
  fleetSpec(patch?: Patch): ChildSpec;
  /** What each tenant's MDM accepted so far, over all its lives. */
  records(tenant: TenantId): AcceptedRecord[];
  stop(): Promise<void>;
}

export async function startProcesses(
  field: Field,
  options: ProcessesOptions = {},
): Promise<HeadEndProcesses> {
  const { onLine = () => undefined, restart, change = (spec) => spec } = options;
  const laid = await layPlan(field, options);
  const supervisor = new Supervisor({ onLine, ...(restart === undefined ? {} : { restart }) });
  try {
    const { front, mdms, routers } = laid;
    await Promise.all([front, ...mdms.values()].map((spec) => supervisor.start(change(spec))));
    await Promise.all([...routers.values()].map((spec) => supervisor.start(change(spec))));
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
  return {
    port: laid.port,
    supervisor,
    front: supervisor.child('front')!,
    router: (tenant) => supervisor.child(`router-${tenant}`)!,
    mdm: (tenant) => supervisor.child(`mdm-${tenant}`)!,
    fleetSpec: (patch = {}) => {
      const spec = laid.plan.fleet(laid.port);
      return { ...spec, config: { ...(spec.config as object), ...patch } };
    },
    records: (tenant) => readRecords(laid.recordsFile(tenant)),
    stop: () => supervisor.stop(),
  };
}

/** Wait until something is so. @throws naming what it waited for */
export async function until(
  what: string,
  so: () => boolean | Promise<boolean>,
  withinMs = 30_000,
): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await so())) {
    if (performance.now() > endMs) throw new Error(`within ${withinMs} ms it did not happen: ${what}`);
    await delay(20);
  }
}

/** Does somebody listen on this port of the loopback interface? */
export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
