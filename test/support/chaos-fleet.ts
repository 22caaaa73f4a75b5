import { clockAfter } from '../../gateway/cli/up/clock.ts';
import { dayNamed, type LocalDay } from '../../gateway/edge/days/calendar.ts';
import type { ChildSpec } from '../../gateway/runtime/child.ts';
import { enrolmentsOf } from '../../meter-emulator/input.ts';
import { provisionFleet } from '../../meter-emulator/provision.ts';
import type { FleetReport } from '../../meter-emulator/start.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { Field } from './field.ts';
import type { GroundOptions } from './ground.ts';
import type { HeadEndProcesses } from './processes.ts';

/** The first day of every such run: the eve of a day of 92 quarter-hours. */
export const FIRST_DAY = '2026-03-28';

/** A head-end whose waits are a second where they are minutes in the field: what is tried is the order of things. */
export function impatient(days: number): GroundOptions {
  return {
    clock: clockAfter(dayNamed(FIRST_DAY), days, Date.now()),
    logLevel: 'error',
    front: { limits: { answerTimeoutMs: 4_000 } },
    router: () => ({
      later: { minSeconds: 1, maxSeconds: 2 },
      mdm: {
        connectMs: 500,
        requestMs: 2_000,
        retry: { baseMs: 20, maxMs: 200, attemptsMax: 5 },
        breaker: { failuresMax: 3, openMs: 200, openMsMax: 1_000 },
      },
      limits: { answerWithinMs: 3_000 },
    }),
  };
}

export interface SliceOptions {
  readonly name: string;
  readonly seed: number;
  readonly meters: number;
  readonly tenants: readonly TenantId[];
  readonly days: number;
  /** FIRST_DAY, unless told. */
  readonly from?: LocalDay;
  readonly slice?: { readonly index: number; readonly of: number };
}

/** A part of an emulated fleet as a process of its own; `ended` settles when every index of it has its receipt. */
export interface EdgeProcess {
  readonly spec: ChildSpec;
  readonly ended: Promise<FleetReport>;
}

/** Enrol the devices of a part and say how its process is started. */
export async function edgeProcess(
  field: Field,
  headEnd: HeadEndProcesses,
  { name, seed, meters, tenants, days, from, slice = { index: 0, of: 1 } }: SliceOptions,
): Promise<EdgeProcess> {
  const source = {
    kind: 'emulated',
    seed,
    meters,
    tenants: tenants.map((id) => ({ id })),
    sampling: 'quarter-hour',
    slice,
  } as const;
  await provisionFleet({
    devices: await enrolmentsOf(source),
    data: field.directory,
    pki: field.pki,
    nowMs: Date.now(),
  });
  const { promise, resolve } = Promise.withResolvers<FleetReport>();
  const spec = headEnd.fleetSpec({
    data: field.directory,
    source,
    run: { kind: 'once', from: from?.name ?? FIRST_DAY, days, deadlineMs: 600_000 },
    limits: { concurrency: 16, retryBaseMs: 50, retryMaxMs: 500 },
  });
  return { spec: { ...spec, name, onNotice: (notice) => resolve(notice as FleetReport) }, ended: promise };
}
