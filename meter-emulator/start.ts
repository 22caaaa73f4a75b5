import { dayAfter, dayNamed, type LocalDay } from '../gateway/edge/days/calendar.ts';
import type { Clock } from '../gateway/runtime/clock.ts';
import { clockOf } from '../gateway/runtime/clock-config.ts';
import type { Counters } from '../gateway/runtime/counters.ts';
import type { Log } from '../gateway/runtime/log.ts';
import { type Random, systemRandom } from '../gateway/runtime/random.ts';
import type { FleetConfig } from './config.ts';
import { openFleetSocket } from './control/server.ts';
import { loadInput } from './input.ts';
import { Attendant, type AttendantOptions } from './run/attendant.ts';
import { FleetCommands } from './run/commands.ts';
import { runContinuously } from './run/continuous.ts';
import type { OpenEdge } from './run/edge-handle.ts';
import { openEdges } from './run/edges.ts';
import { runOnce } from './run/once.ts';
import { FleetRenewals } from './run/renewals.ts';
import type { Station } from './run/station.ts';
import { Tally, type TenantTally } from './run/tally.ts';
import { Visits } from './run/visits.ts';

/** What a run came to. */
export interface FleetReport {
  readonly tenants: Readonly<Record<string, TenantTally>>;
  /** Expected, and neither delivered nor refused. */
  readonly lost: number;
  /** Nothing lost, nothing refused. */
  readonly complete: boolean;
  readonly durationMs: number;
  /** Recordings without one valid telegram, by name. */
  readonly unusable: readonly string[];
}

export interface RunningFleet {
  /** Resolves when a bounded run has ended, or when the fleet was stopped. */
  readonly done: Promise<FleetReport>;
  stop(): Promise<void>;
}

export interface StartFleetOptions {
  readonly config: FleetConfig;
  readonly log: Log;
  readonly counters: Counters;
  /** Instead of the one that the configuration describes. */
  readonly clock?: Clock;
  /** For jitter and back-off only: registers come from the seed. */
  readonly random?: Random;
  /** For tests: edges without disk and network. */
  readonly open?: OpenEdge;
}

/** A recording is read through once for each visit, so it closes many of its days in one. */
const RECORDED_DAYS_PER_VISIT = 32;

const HOUR_MS = 3_600_000;

/**
 * Start a fleet in this process. Its devices must be enrolled (`provisionFleet`). Counts are published live as
 * `fleet.<what>.<tenant>`, and `fleet.ended` turns to 1 when a bounded run is over (`fleet.complete` says how).
 *
 * @throws ERR_FLEET_SIZE, ERR_FLEET_TENANTS, ERR_TELEGRAMS_PATH; `done` rejects with what ended the run early
 */
export async function startFleet(options: StartFleetOptions): Promise<RunningFleet> {
  const { config, log, counters, random = systemRandom } = options;
  const startedAt = performance.now();
  const clock = options.clock ?? clockOf(config.clock);
  const input = await loadInput(config, clock, log);
  const tally = new Tally(input.streams);
  for (const tenant of input.refused) tally.refuseInput(tenant);
  tally.publish(counters);
  counters.gauge('fleet.devices', input.stations.length);
  counters.gauge('fleet.ended', 0);
  counters.gauge('fleet.complete', 0);

  const stopping = new AbortController();
  const deadline = config.run.kind === 'once' ? [AbortSignal.timeout(config.run.deadlineMs)] : [];
  const signal = AbortSignal.any([stopping.signal, ...deadline]);
  const speed = config.clock.kind === 'simulated' ? config.clock.speed : 1;
  const { concurrency, openMax, retryBaseMs, retryMaxMs } = config.limits;
  const jitterMs = config.run.kind === 'continuous' ? (config.run.jitterHours * HOUR_MS) / speed : 0;
  const isLiving = config.run.kind === 'continuous' && config.source.kind === 'emulated';
  const commands = isLiving
    ? commandsOf(config, input.stations, clock, { random, log, counters })
    : undefined;
  const open =
    options.open ??
    openEdges({
      ...(commands === undefined ? {} : { commands }),
      data: config.data,
      headEnd: headEndOf(config),
      jitterMs: config.source.kind === 'telegrams' ? 0 : jitterMs,
      retry: { baseMs: retryBaseMs, maxMs: retryMaxMs },
      missedDays: config.source.kind === 'telegrams' ? 'skip' : 'close',
      random,
      log,
      counters,
    });
  const visits = new Visits({
    open,
    openMax,
    tally,
    counters,
    signal,
    ...(commands === undefined ? {} : { commands }),
  });
  const attendant =
    commands === undefined || options.open !== undefined
      ? undefined
      : await attend({ config, commands, visits, clock, log });

  const run = async (): Promise<FleetReport> => {
    try {
      if (isLiving)
        await runContinuously({
          ...(commands === undefined ? {} : { commands }),
          visits,
          tally,
          stations: input.stations,
          clock,
          speed,
          concurrency,
          counters,
          signal,
        });
      else
        await runOnce({
          visits,
          tally,
          stations: input.stations,
          daysOf: input.daysOf ?? boundedDays(config),
          daysPerVisit: config.source.kind === 'telegrams' ? RECORDED_DAYS_PER_VISIT : 1,
          concurrency,
          signal,
        });
    } finally {
      await attendant?.close();
      await visits.stop();
    }
    const tenants = tally.tenants();
    const lost = tally.outstanding;
    const complete = lost === 0 && Object.values(tenants).every(({ refused }) => refused === 0);
    counters.gauge('fleet.complete', complete ? 1 : 0);
    counters.gauge('fleet.ended', 1);
    return {
      tenants,
      lost,
      complete,
      durationMs: Math.round(performance.now() - startedAt),
      unusable: input.unusable,
    };
  };
  const done = run();
  done.catch(() => counters.gauge('fleet.ended', 1));
  return {
    done,
    async stop() {
      stopping.abort();
      await done.catch(() => undefined);
    },
  };
}

function commandsOf(
  { data, clock: kept, commands: { stayMax }, renewal }: FleetConfig,
  stations: readonly Station[],
  meteringClock: Clock,
  tools: { readonly random: Random; readonly log: Log; readonly counters: Counters },
): FleetCommands {
  const realSeconds =
    kept.kind === 'simulated'
      ? (seconds: number) => (kept.startedAtMs + (seconds * 1_000 - kept.originMs) / kept.speed) / 1_000
      : (seconds: number) => seconds;
  const renewals = renewal === undefined ? {} : { renewals: new FleetRenewals({ ...renewal, ...tools }) };
  return new FleetCommands({
    data,
    stations,
    meteringClock,
    realSeconds,
    stayMax,
    log: tools.log,
    ...renewals,
  });
}

interface AttendOptions extends Omit<AttendantOptions, 'meteringClock'> {
  readonly config: FleetConfig;
  readonly clock: Clock;
  readonly log: Log;
}

/** A fleet does its work also where nobody can press its buttons. */
async function attend({ config, commands, visits, clock, log }: AttendOptions) {
  // Slices share a data folder, and there is one socket in it: the first answers for its own devices.
  if (config.source.kind !== 'emulated' || config.source.slice.index > 0) return undefined;
  const attendant = new Attendant({ commands, visits, meteringClock: clock });
  try {
    return await openFleetSocket(config.data, (request) => attendant.answer(request), log);
  } catch (error) {
    log.warn({ err: error }, 'nobody can look at the meters of this fleet');
    return undefined;
  }
}

function headEndOf({ front: { host, port, servername } }: FleetConfig) {
  return { host, port, ...(servername === undefined ? {} : { servername }) };
}

function boundedDays({ run }: FleetConfig): () => readonly LocalDay[] {
  if (run.kind !== 'once') return () => [];
  const first = dayNamed(run.from);
  const days = Array.from({ length: run.days }, (_, index) => dayAfter(first, index));
  return () => days;
}
