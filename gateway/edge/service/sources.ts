import { readFileSync } from 'node:fs';
import { HesError, isHesError } from '../../../protocol/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import { endpointText } from '../modbus/endpoint.ts';
import { type ModbusMeterStatus, ModbusSource } from '../modbus/source.ts';
import { AUTHENTICATION_KEY_LUXEMBOURG, type P1Keys, parseP1Key } from '../p1/glo-keys.ts';
import { telegramSnapshot } from '../p1/snapshot.ts';
import type { Snapshot } from '../source.ts';
import type { Link } from '../sources/link.ts';
import { P1Port } from '../sources/port.ts';
import { serialLink } from '../sources/serial.ts';
import { type P1SourceStatus, PORT_STATES } from '../sources/source.ts';
import { fileLink, stdinLink } from '../sources/stream.ts';
import { tcpLink } from '../sources/tcp.ts';
import type { SourceTiming } from '../sources/timing.ts';
import type { EdgeSourceConfig, ModbusEdgeSourceConfig, P1SourceConfig } from './config.ts';
import type { EdgeServiceErrorCode } from './errors.ts';
import type { MeteringTime } from './metering-time.ts';
import { RecordedTime } from './recording.ts';
import { isRecording } from './rules.ts';

export type SourceStatus =
  | ({
      readonly name: string;
      readonly kind: 'p1' /** The state in words. */;
      readonly text: string;
    } & P1SourceStatus)
  | { readonly name: string; readonly kind: 'modbus'; readonly meters: readonly ModbusMeterStatus[] };

export interface SourceContext {
  readonly log: Log;
  readonly counters: Counters;
  readonly random: Random;
  readonly timing: SourceTiming;
  readonly time: MeteringTime;
}

/** A source of a device as the service sees it: where it is read from is over and done with here. */
export interface EdgeSource {
  readonly name: string;
  /** The channels that its configuration gives to its meters; null where the meters say it. */
  readonly channels: ReadonlySet<number> | null;
  /** A file or standard input: it has an end, and may have brought its own time. */
  readonly ends: boolean;
  readonly recorded: boolean;
  /** Until the signal is given, or its end. Trouble of a port or a meter is a state and no exception. */
  run(observe: (snapshot: Snapshot) => void, signal: AbortSignal): Promise<void>;
  status(): SourceStatus;
}

/** @throws ERR_CONFIG_SOURCE naming the source by its place in the configuration */
export async function openSource(
  { p1, modbus }: EdgeSourceConfig,
  path: string,
  context: SourceContext,
): Promise<EdgeSource> {
  try {
    return p1 === undefined ? await openModbus(modbus!, context) : openP1(p1, context);
  } catch (cause) {
    if (!isHesError(cause)) throw cause;
    throw failure(`${path}: ${cause.message}`, cause);
  }
}

function openP1(config: P1SourceConfig, { log, counters, random, timing, time }: SourceContext): EdgeSource {
  const { link, text } = linkOf(config);
  const name = config.name ?? text;
  const keys = keysOf(config);
  const recorded = isRecording(config) ? new RecordedTime(() => time.seconds) : null;
  const reading = { keys, acceptUnverified: config.acceptUnverified };
  const port = new P1Port({ name, link, log, counters, reading, timing, random });
  return {
    name,
    channels: null,
    ends: !link.isPort,
    recorded: recorded !== null,
    run: async (observe, signal) => {
      await port.run(
        {
          telegram: (telegram) =>
            observe(telegramSnapshot(telegram, recorded === null ? time.now() : recorded.of(telegram))),
        },
        signal,
      );
      const end = signal.aborted ? null : recorded?.end();
      if (end != null) observe(end);
    },
    status: () => {
      const status = port.status();
      return { name, kind: 'p1', text: PORT_STATES[status.state].text, ...status };
    },
  };
}

function linkOf({ serial, tcp, file }: P1SourceConfig): { link: Link; text: string } {
  if (serial !== undefined) return { link: serialLink(serial), text: serial.path };
  if (tcp !== undefined) return { link: tcpLink(tcp), text: `${tcp.host}:${tcp.port}` };
  if (file !== undefined) return { link: fileLink(file), text: file };
  return { link: stdinLink(), text: 'stdin' };
}

function keysOf({ keys }: P1SourceConfig): P1Keys | null {
  if (keys === undefined) return null;
  const { key, authKey } = keys;
  return {
    encryption: keyOf(key, 'encryption'),
    authentication: authKey === undefined ? AUTHENTICATION_KEY_LUXEMBOURG : keyOf(authKey, 'authentication'),
  };
}

/** What is wrong with a key is said without a word of it. */
function keyOf(file: string, what: 'encryption' | 'authentication'): Uint8Array {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (cause) {
    throw failure(`${file} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown'})`, cause);
  }
  return parseP1Key(text, what);
}

async function openModbus(
  { name: given, ...config }: ModbusEdgeSourceConfig,
  { log, counters, random, time }: SourceContext,
): Promise<EdgeSource> {
  const name = given ?? endpointText(config.endpoint);
  const stopping = new AbortController();
  let show: (snapshot: Snapshot) => void = () => {};
  const source = await ModbusSource.open({
    config,
    // The line keeps the real time; when a snapshot was, the metering clock says.
    observe: (snapshot) => show({ ...snapshot, at: time.now() }),
    clock: systemClock,
    random,
    log,
    counters,
    signal: stopping.signal,
  });
  return {
    name,
    channels: new Set(config.meters.map(({ channel }) => channel)),
    ends: false,
    recorded: false,
    run: async (observe, signal) => {
      show = observe;
      const stop = (): void => stopping.abort();
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      await source.run();
    },
    status: () => ({ name, kind: 'modbus', meters: source.status() }),
  };
}

function failure(message: string, cause: unknown): HesError {
  return new HesError('ERR_CONFIG_SOURCE' satisfies EdgeServiceErrorCode, message, { cause });
}
