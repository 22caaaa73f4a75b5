import { isHesError } from '../../protocol/errors.ts';
import { Counters } from './counters.ts';
import { createLog, type Log, type LogLevel } from './log.ts';
import { countersMessage, hasParent, type ReadyDetails, tellParent } from './parent.ts';

/** How often a parent process hears this one's counters: often enough for a live table. */
const COUNTERS_EVERY_MS = 500;

/** A clean stop may take this long; then the process ends anyway, since whoever stops it waits. */
export const STOP_WITHIN_MS = 10_000;

/** A start that is under way when the stop is asked for may still end by itself for this long; then it is abandoned. */
const START_ABANDON_MS = 1_000;

/** Exit codes, mapped here and nowhere deeper. EX_CONFIG of sysexits.h: starting again will not help. */
export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
export const EXIT_CONFIG = 78;

export interface ServiceContext {
  readonly name: string;
  readonly log: Log;
  readonly counters: Counters;
  /** Aborted as soon as the process is asked to stop, also while it is still starting. */
  readonly signal: AbortSignal;
}

export interface RunningService {
  /** End cleanly: take nothing new, finish what runs, let go of everything. */
  stop(): Promise<void>;
  /** What the parent process hears with `ready`. */
  readonly details?: ReadyDetails;
  /** For a process that may be done by itself: its exit code. It is then stopped like one that was asked to. */
  readonly ended?: Promise<number>;
}

export interface ServiceOptions {
  readonly level?: LogLevel;
  readonly log?: Log;
  readonly stopWithinMs?: number;
}

/**
 * Run a process of ours from its first line to its exit.
 *
 * SIGTERM ends it cleanly, and SIGINT where nobody supervises it (a Ctrl-C reaches the whole process group, and a
 * supervised process must stop in its supervisor's order, not at once; so does SIGHUP). A parent that vanishes ends it too: no
 * orphan keeps a port or a key. What nobody caught is logged and ends the process: its state is unknown.
 */
export function runService(
  name: string,
  start: (context: ServiceContext) => Promise<RunningService>,
  { level = 'info', log = createLog({ name, level }), stopWithinMs = STOP_WITHIN_MS }: ServiceOptions = {},
): void {
  const counters = new Counters();
  const stopping = new AbortController();
  let exiting = false;
  let started = false;

  const exit = async (code: number): Promise<void> => {
    if (exiting) return;
    exiting = true;
    await tellParent(countersMessage(counters));
    process.exit(code);
  };

  const fail = async (error: unknown, what: string): Promise<void> => {
    // To a person at a terminal what is theirs to mend is said in words; a log gets all of it.
    if (isHesError(error) && process.stderr.isTTY)
      process.stderr.write(`hes: ${error.message} (${error.code})\n`);
    else log.fatal({ err: error }, what);
    const code = isHesError(error) ? error.code : 'ERR_UNEXPECTED';
    await tellParent({ type: 'failed', code, message: error instanceof Error ? error.message : what });
    await exit(code.startsWith('ERR_CONFIG') ? EXIT_CONFIG : EXIT_FAILURE);
  };

  process.on('uncaughtException', (error) => void fail(error, 'an error that nobody caught'));
  process.on('unhandledRejection', (error) => void fail(error, 'a rejection that nobody caught'));

  const requestStop = (why: string): void => {
    if (stopping.signal.aborted) return;
    log.info({ why }, 'stopping');
    setTimeout(() => {
      log.error({ code: 'ERR_SERVICE_STOP', stopWithinMs }, 'did not stop in time');
      void exit(EXIT_FAILURE);
    }, stopWithinMs).unref();
    stopping.abort();
    if (started) return;
    setTimeout(() => {
      if (started) return;
      log.info('stopped while it was starting');
      void exit(EXIT_OK);
    }, START_ABANDON_MS).unref();
  };
  process.on('SIGTERM', () => requestStop('SIGTERM'));
  process.on('SIGINT', () => {
    if (!hasParent()) requestStop('SIGINT');
  });
  // The end of a terminal reaches its whole group as well. Who listens for it itself, such as the front, is heard too.
  if (hasParent()) process.on('SIGHUP', () => undefined);
  process.on('disconnect', () => requestStop('the parent process is gone'));
  if (hasParent()) sendCounters(counters);

  const run = async (): Promise<void> => {
    const running = await start({ name, log, counters, signal: stopping.signal });
    started = true;
    let code: number = EXIT_OK;
    if (!stopping.signal.aborted) {
      await tellParent({ type: 'ready', details: running.details ?? {} });
      log.info(running.details ?? {}, 'ready');
      const stopped = untilAborted(stopping.signal).then(() => EXIT_OK);
      code = await (running.ended === undefined ? stopped : Promise.race([stopped, running.ended]));
    }
    await running.stop();
    log.info('stopped');
    await exit(code);
  };
  run().catch((error: unknown) => {
    // A start that was cut short by the request to stop is no failure.
    if (stopping.signal.aborted && error instanceof Error && error.name === 'AbortError')
      return exit(EXIT_OK);
    return fail(error, stopping.signal.aborted ? 'failed while stopping' : 'could not start');
  });
}

function sendCounters(counters: Counters): void {
  let underWay = false;
  setInterval(() => {
    // A parent that is slow to read must not make this process hoard messages.
    if (underWay) return;
    underWay = true;
    void tellParent(countersMessage(counters)).then(() => {
      underWay = false;
    });
  }, COUNTERS_EVERY_MS).unref();
}

function untilAborted(signal: AbortSignal): Promise<void> {
  // An interval keeps the process alive for as long as it is meant to run, whatever its sockets do.
  const alive = setInterval(() => undefined, 2 ** 30);
  return new Promise((resolve) => {
    const done = (): void => {
      clearInterval(alive);
      resolve();
    };
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
}
