import { readFileSync } from 'node:fs';
import { HesError } from '../../../protocol/errors.ts';
import { AUTHENTICATION_KEY_LUXEMBOURG, type P1Keys, parseP1Key } from '../p1/glo-keys.ts';
import { telegramSnapshot } from '../p1/snapshot.ts';
import type { Link } from '../sources/link.ts';
import { P1Port } from '../sources/port.ts';
import { PORT_STATES } from '../sources/source.ts';
import { fileLink, stdinLink } from '../sources/stream.ts';
import { tcpLink } from '../sources/tcp.ts';
import type { P1SourceConfig } from './config.ts';
import type { EdgeSource, SourceContext } from './edge-source.ts';
import type { EdgeServiceErrorCode } from './errors.ts';
import { RecordedTime } from './recording.ts';
import { isRecording } from './rules.ts';

/** A P1 port, a recording or standard input as a source of the service. @throws ERR_CONFIG_SOURCE, ERR_P1_KEY */
export async function openP1(
  config: P1SourceConfig,
  { log, counters, random, timing, time }: SourceContext,
): Promise<EdgeSource> {
  const { link, text } = await linkOf(config);
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
    isUnfinished: () => recorded?.isUnfinished === true,
    run: async (observe, signal) => {
      await port.run(
        {
          telegram: (telegram) =>
            observe(telegramSnapshot(telegram, recorded === null ? time.now() : recorded.of(telegram))),
        },
        signal,
      );
      if (!signal.aborted && recorded?.isUnfinished === true)
        log.warn({ source: name }, 'the last day of this recording is not over: it is left open');
      const end = signal.aborted ? null : recorded?.end();
      if (end != null) observe(end);
    },
    status: () => {
      const status = port.status();
      return { name, kind: 'p1', text: PORT_STATES[status.state].text, ...status };
    },
  };
}

async function linkOf({ serial, tcp, file }: P1SourceConfig): Promise<{ link: Link; text: string }> {
  if (serial !== undefined) {
    const { serialLink } = await import('../sources/serial.ts');
    return { link: serialLink(serial), text: serial.path };
  }
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
    const why = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    const code: EdgeServiceErrorCode = 'ERR_CONFIG_SOURCE';
    throw new HesError(code, `${file} cannot be read (${why})`, { cause });
  }
  return parseP1Key(text, what);
}
