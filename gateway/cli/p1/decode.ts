import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { HesError } from '../../../protocol/errors.ts';
import { P1Reader } from '../../edge/p1/reader.ts';
import { P1_FAULTS, type P1Fault } from '../../edge/p1/telegram.ts';
import { EXIT } from '../exit.ts';
import { ForeignWatch } from './foreign.ts';
import { telegramJson } from './json.ts';
import { REFUSED_JSON, type ReadingFlags, readingOf } from './reading.ts';
import { Recording } from './recording.ts';
import { telegramTable } from './table.ts';

export type DecodeFlags = ReadingFlags;

/**
 * Print every telegram of a file or of standard input as it comes. Exit code 0 when there was at least one and
 * each was a reading, else 1.
 *
 * @throws ERR_P1_INPUT, ERR_USAGE
 */
export async function decode(file: string, flags: DecodeFlags): Promise<number> {
  const printed: string[] = [];
  const reader = new P1Reader(
    {
      telegram: (telegram) => printed.push(flags.json ? telegramJson(telegram) : telegramTable(telegram)),
      fault: (fault) => printed.push(flags.json ? REFUSED_JSON : `No reading: ${P1_FAULTS[fault]}.\n\n`),
    },
    readingOf(flags),
  );
  const recording = new Recording();
  const foreign = new ForeignWatch();
  const take = (bytes: Uint8Array): void => {
    foreign.feed(bytes);
    reader.feed(bytes);
  };
  const output = new Output();
  for await (const block of blocksOf(file)) {
    take(recording.feed(block));
    if (!(await output.write(printed))) return EXIT.ok;
  }
  take(recording.end());
  reader.flush();
  if (!(await output.write(printed))) return EXIT.ok;
  process.stderr.write(summary(reader, foreign));
  return reader.telegrams > 0 && Object.keys(reader.faults).length === 0 ? EXIT.ok : EXIT.incomplete;
}

async function* blocksOf(file: string): AsyncGenerator<Buffer> {
  const stream = file === '-' ? process.stdin : createReadStream(file);
  try {
    for await (const block of stream) yield block as Buffer;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new HesError('ERR_P1_INPUT', `${file} cannot be read: ${code}`, { cause });
  }
}

/** Standard output that waits for a slow reader, and ends quietly when the reader has gone (`| head`). */
class Output {
  #gone = false;

  constructor() {
    process.stdout.on('error', () => {
      this.#gone = true;
    });
  }

  /** Write and empty the list; false when nobody reads any more. */
  async write(texts: string[]): Promise<boolean> {
    const text = texts.splice(0).join('');
    if (text !== '' && !this.#gone && !process.stdout.write(text))
      await once(process.stdout, 'drain').catch(() => {});
    return !this.#gone;
  }
}

/** To standard error, where it disturbs nobody who reads the JSON. */
function summary(reader: P1Reader, foreign: ForeignWatch): string {
  const faults = Object.entries(reader.faults) as [P1Fault, number][];
  const lines = [`${reader.telegrams} ${reader.telegrams === 1 ? 'telegram' : 'telegrams'} read.\n`];
  for (const [fault, count] of faults) lines.push(`${count} × ${fault}: ${P1_FAULTS[fault]}.\n`);
  if (reader.unverified > 0) lines.push(`${reader.unverified} UNVERIFIED: nothing proves who sent them.\n`);
  if (reader.noiseBytes > 0) lines.push(`${reader.noiseBytes} bytes belong to no telegram.\n`);
  if (reader.telegrams > 0) return lines.join('');
  const { name } = foreign;
  if (name !== null) lines.push(`This is ${name}: not P1 text, and not read here.\n`);
  else if (faults.length === 0) lines.push(NOTHING_FOUND);
  return lines.join('');
}

const NOTHING_FOUND =
  'No telegram begins anywhere in this. A P1 port speaks 115200 8N1, before DSMR 4 9600 7E1.\n';
