import { statSync } from 'node:fs';
import { P1_FAULTS, type P1Fault, type P1Telegram } from '../../edge/p1/telegram.ts';
import type { Link } from '../../edge/sources/link.ts';
import { P1Port } from '../../edge/sources/port.ts';
import { type SerialModeName, serialLink } from '../../edge/sources/serial.ts';
import { tcpLink } from '../../edge/sources/tcp.ts';
import { Counters } from '../../runtime/counters.ts';
import { createLog } from '../../runtime/log.ts';
import { usage } from '../errors.ts';
import { ForeignWatch } from './foreign.ts';
import { telegramJson } from './json.ts';
import { REFUSED_JSON, type ReadingFlags, readingOf } from './reading.ts';
import { telegramTable } from './table.ts';
import { LinesView, ScreenView, type WatchView } from './watch-view.ts';

export interface WatchFlags extends ReadingFlags {
  readonly mode?: SerialModeName | 'auto';
}

/** How often the state of the port is looked at: an eye takes four pictures a second for motion. */
const LOOK_MS = 250;

/**
 * Show what a port says for as long as it is watched: its state in words, and the last telegram. Ends with Ctrl-C;
 * trouble of the port is shown and waited out, it ends nothing.
 *
 * @throws ERR_USAGE
 */
export async function watch(port: string, flags: WatchFlags): Promise<void> {
  const reading = readingOf(flags);
  const foreign = new ForeignWatch();
  const source = new P1Port({
    name: port,
    link: watched(linkOf(port, flags), foreign),
    log: createLog({ name: 'watch', level: 'silent' }),
    counters: new Counters(),
    reading,
  });
  const view = viewOf(flags);
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, stop);
  process.stdout.once('error', stop);

  const look = (): void => view.state({ name: port, status: source.status(), foreign: foreign.name });
  const timer = setInterval(look, LOOK_MS);
  try {
    look();
    await source.run(
      {
        telegram: (telegram: P1Telegram) => view.telegram(telegram),
        fault: (fault: P1Fault) => view.fault(fault),
      },
      stopping.signal,
    );
  } finally {
    clearInterval(timer);
    for (const signal of signals) process.removeListener(signal, stop);
    view.end();
  }
}

function viewOf({ json }: WatchFlags): WatchView {
  const say = (text: string): void => void process.stderr.write(text);
  const print = (text: string): void => void process.stdout.write(text);
  if (json === true) return new LinesView({ print, say, telegram: telegramJson, fault: () => REFUSED_JSON });
  if (process.stdout.isTTY === true) return new ScreenView({ print, rows: () => process.stdout.rows });
  return new LinesView({
    print,
    say,
    telegram: telegramTable,
    fault: (fault) => `No reading: ${P1_FAULTS[fault]}.\n\n`,
  });
}

const TCP = /^tcp:(?:(?<host>\[[^\]]+\]|[^:]+):)?(?<port>\d{1,5})$/;
const PORT_MAX = 65_535;

function linkOf(port: string, { mode }: WatchFlags): Link {
  if (!port.startsWith('tcp:')) return serialLink({ path: deviceOf(port), mode: mode ?? 'auto' });
  const parts = TCP.exec(port)?.groups;
  const number = Number(parts?.['port']);
  if (parts === undefined || number < 1 || number > PORT_MAX)
    throw usage(`${port} is no TCP port: tcp:HOST:PORT, or tcp:PORT on this machine`);
  if (mode !== undefined) throw usage('--mode is of a serial port; a bridge has its own');
  return tcpLink({ host: parts['host']?.replaceAll(/[[\]]/g, '') ?? '127.0.0.1', port: number });
}

/** A path that is not there yet may be plugged in later; one that is a file is another command's. */
function deviceOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() === true) throw usage(`${path} is a file: hes p1 decode reads it`);
  return path;
}

/** The same link, and the beginning of what comes through it is looked at for other protocols. */
function watched(link: Link, foreign: ForeignWatch): Link {
  return {
    ...link,
    open: (mode, calls) =>
      link.open(mode, {
        ...calls,
        data: (block) => {
          foreign.feed(block);
          calls.data(block);
        },
      }),
  };
}
