import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { HesError, isHesError } from '../../../protocol/errors.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import type { Counters } from '../../runtime/counters.ts';
import { watchExpiry } from '../../runtime/expiry.ts';
import type { Log } from '../../runtime/log.ts';
import { type Random, systemRandom } from '../../runtime/random.ts';
import { Renewal, type RenewalOptions } from '../renewal/renewal.ts';
import { estRenewalServer } from '../renewal/server.ts';
import type { EdgeConfig } from './config.ts';
import type { EdgeServiceErrorCode } from './errors.ts';
import { endingsOf, type LoadedIdentity, loadIdentities } from './identity.ts';
import { MeteringTime } from './metering-time.ts';
import { readOnlyCommands } from './read-only.ts';
import { DeviceRunner } from './runner.ts';
import { openControlSocket } from './socket.ts';
import { openSource } from './sources.ts';
import type { EdgeStatus } from './status.ts';

/** How often it is looked whether a day or a wake is due. */
const TICK_MS = 1_000;

export interface EdgeServiceOptions {
  readonly config: EdgeConfig;
  readonly log: Log;
  readonly counters: Counters;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface RunningEdge {
  status(): EdgeStatus;
  /**
   * Settles when every source was a file or standard input, all have ended, and nothing that they gave waits any more:
   * whether all of it was read and taken. Rejects when something failed that nobody foresaw.
   */
  readonly done: Promise<{ readonly complete: boolean }>;
  stop(): Promise<void>;
}

/**
 * The edge as a service: each device with its sources, its running days and its outbox; a status for who asks.
 *
 * What is wrong with the configuration, or with what it names, refuses the start. What may pass (a port that is not
 * there, a full disk, a head-end that is away) does not: it is a state.
 *
 * @throws ERR_CONFIG_IDENTITY, ERR_CONFIG_SOURCE, ERR_EDGE_DATA, ERR_EDGE_RUNNING, ERR_EDGE_SOCKET, ERR_OUTBOX_*
 */
export async function startEdge(options: EdgeServiceOptions): Promise<RunningEdge> {
  const { config, log, counters, clock = systemClock } = options;
  const loaded = loadIdentities(config, clock.nowMs(), log);
  makeDataFolder(config.data);
  const { promise: failed, reject: fatal } = Promise.withResolvers<never>();
  // Whoever waits for `done` hears of it.
  failed.catch(() => undefined);
  const runners = await Promise.all(
    loaded.map((identity, index) => runnerOf(options, identity, index, fatal)),
  );
  const startedAtMs = clock.nowMs();
  const status = (): EdgeStatus => ({
    version: 1,
    running: true,
    pid: process.pid,
    startedAtMs,
    nowMs: clock.nowMs(),
    development: config.development,
    headEnd: config.headEnd,
    devices: runners.map((runner) => runner.status()),
  });
  const stopRunners = async (): Promise<void> => {
    await Promise.all(runners.map((runner) => runner.close()));
  };
  try {
    // First the outboxes, whose locks tell who is here first; then the socket.
    await startRunners(runners);
    const control = await openControlSocket(config.data, status);
    const { done, end } = watch(runners);
    const read = () => loaded.flatMap(({ certificates }) => endingsOf(certificates));
    const expiry = watchExpiry({ read, clock, log, counters });
    return {
      status,
      done: Promise.race([done, failed]),
      stop: async () => {
        end();
        expiry.stop();
        await control.close();
        await stopRunners();
      },
    };
  } catch (error) {
    await stopRunners();
    throw error;
  }
}

async function runnerOf(
  { config, log, counters, clock = systemClock, random = systemRandom }: EdgeServiceOptions,
  loaded: LoadedIdentity,
  index: number,
  fatal: (error: unknown) => void,
): Promise<DeviceRunner> {
  const { data, development, outbox, uplink, timing } = config;
  const { servername, ...address } = config.headEnd;
  const { closeAfterSeconds, ...schedule } = config.schedule;
  const time = new MeteringTime(config.clock, clock);
  const context = { log, counters, random, timing, time };
  const sources = await Promise.all(
    config.devices[index]!.sources.map((source, at) =>
      openSource(source, `devices[${index}].sources[${at}]`, context),
    ),
  );
  const renewal = renewalOf(config, index, loaded, { log, counters, random, clock });
  return new DeviceRunner({
    directory: deviceDirectory(data, loaded.identity.device),
    loaded,
    sources,
    headEnd: servername === undefined ? address : { ...address, servername },
    development,
    limits: { outbox, uplink, schedule },
    closeAfterSeconds,
    commands: readOnlyCommands(config, config.devices[index]!, loaded, renewal),
    ...(renewal === undefined ? {} : { renewal }),
    time,
    log,
    counters,
    random,
    fatal,
    clock,
  });
}

/** What renews the keys of a device, where it says by whom. */
function renewalOf(
  { devices, development, renewal: ofAll }: EdgeConfig,
  index: number,
  { port }: LoadedIdentity,
  parts: Pick<RenewalOptions, 'log' | 'counters' | 'random' | 'clock'>,
): Renewal | undefined {
  const { identity: file, renewal: own } = devices[index]!;
  const config = own ?? ofAll;
  if (config === undefined || port === undefined) return undefined;
  const server = estRenewalServer(config);
  return new Renewal({ file, identity: port, server, development, limits: config, ...parts });
}

export const deviceDirectory = (data: string, device: string): string => join(data, 'devices', device);

/**
 * A lock that another process holds refuses the start, and so does a trouble that all devices have. One that some
 * have is theirs: they are tried again, and the others run.
 */
async function startRunners(runners: readonly DeviceRunner[]): Promise<void> {
  const failed: { readonly runner: DeviceRunner; readonly error: unknown }[] = [];
  for (const runner of runners)
    try {
      await runner.start();
    } catch (error) {
      if (!isHesError(error) || error.code === 'ERR_OUTBOX_LOCKED') throw error;
      failed.push({ runner, error });
    }
  if (failed.length === runners.length) throw failed[0]!.error;
  for (const { runner, error } of failed) runner.failed(error);
}

/** Look at every device each second, and notice when all are done. */
function watch(runners: readonly DeviceRunner[]): { done: RunningEdge['done']; end: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const done = new Promise<{ complete: boolean }>((resolve) => {
    timer = setInterval(() => {
      for (const runner of runners) runner.tick();
      if (!runners.every((runner) => runner.isDone)) return;
      clearInterval(timer);
      resolve({ complete: !runners.some((runner) => runner.isIncomplete) });
    }, TICK_MS);
  });
  return { done, end: () => clearInterval(timer) };
}

function makeDataFolder(data: string): void {
  try {
    mkdirSync(data, { recursive: true, mode: 0o700 });
    accessSync(data, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    const code: EdgeServiceErrorCode = 'ERR_EDGE_DATA';
    throw new HesError(code, `${data} cannot be made or written by this user (${why})`, { cause });
  }
}
