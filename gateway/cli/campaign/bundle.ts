import {
  closeSync,
  createReadStream,
  fsyncSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { createInterface } from 'node:readline';
import { campaignCliError } from './errors.ts';

/**
 * The signed commands of a campaign in a file, one a line as the desk takes them, and its signed manifest as the last
 * line: what was signed once is not signed again because a connection was lost. The file is its owner's alone, and is
 * removed when the desk has everything.
 */

/** Commands that are written at once. */
const WRITE_BYTES = 256 * 1_024;
/** A manifest with its signature and certificate, in base64. */
const LAST_LINE_BYTES_MAX = 8_192;
const MANIFEST = '{"manifest":"';

export interface BundleWriter {
  add(line: string): void;
  /** Durable when it returns. */
  end(proposal: Uint8Array): void;
  /** It is not to be: nothing of it stays. */
  discard(): void;
}

/** @throws ERR_CAMPAIGN_BUNDLE where the file is there already or cannot be made */
export function writeBundle(file: string): BundleWriter {
  let fd: number;
  try {
    fd = openSync(file, 'wx', 0o600);
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === 'EEXIST'
        ? `${file} is there already: go on with --resume ${file}, or remove it`
        : `${file} cannot be made`;
    throw campaignCliError('ERR_CAMPAIGN_BUNDLE', why, { cause });
  }
  let waiting = '';
  const flush = (): void => {
    const bytes = Buffer.from(waiting);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    waiting = '';
  };
  return {
    add(line) {
      waiting += `${line}\n`;
      if (waiting.length >= WRITE_BYTES) flush();
    },
    end(proposal) {
      waiting += `${MANIFEST}${Buffer.from(proposal).toString('base64')}"}\n`;
      flush();
      fsyncSync(fd);
      closeSync(fd);
    },
    discard() {
      closeSync(fd);
      rmSync(file, { force: true });
    },
  };
}

/** The signed manifest of a bundle. @throws ERR_CAMPAIGN_BUNDLE where it is missing: the file was cut */
export function proposalOf(file: string): Uint8Array {
  const { fd, size } = open(file);
  try {
    const length = Math.min(size, LAST_LINE_BYTES_MAX);
    const tail = Buffer.alloc(length);
    readSync(fd, tail, 0, length, size - length);
    const lines = tail.toString('latin1').split('\n');
    const last = lines.at(-2) ?? '';
    if (lines.at(-1) !== '' || !last.startsWith(MANIFEST))
      throw campaignCliError('ERR_CAMPAIGN_BUNDLE', `${file} was cut while it was written: remove it`);
    return Buffer.from((JSON.parse(last) as { manifest: string }).manifest, 'base64');
  } finally {
    closeSync(fd);
  }
}

function open(file: string): { readonly fd: number; readonly size: number } {
  try {
    return { fd: openSync(file, 'r'), size: statSync(file).size };
  } catch (cause) {
    throw campaignCliError('ERR_CAMPAIGN_BUNDLE', `${file} cannot be read`, { cause });
  }
}

/** The lines of the commands from number `from` on, in chunks. */
export async function* bundleChunks(
  file: string,
  from: number,
  chunkMax: number,
): AsyncGenerator<{ readonly from: number; readonly lines: readonly string[] }> {
  let lines: string[] = [];
  let at = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: 0 })) {
    if (line.startsWith(MANIFEST)) break;
    at += 1;
    if (at <= from) continue;
    lines.push(line);
    if (lines.length < chunkMax) continue;
    yield { from: at - lines.length, lines };
    lines = [];
  }
  if (lines.length > 0) yield { from: at - lines.length, lines };
}
