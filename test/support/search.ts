import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Needle } from './canaries.ts';

/** A needle that was found, how often, and where first. */
export interface Hit {
  readonly canary: string;
  readonly form: string;
  readonly count: number;
}

const CHUNK_BYTES = 32 * 1_048_576;

/** Needles are told apart by their first bytes, so that one pass looks for all of them. */
const HEAD_BYTES = 3;

/** Most of a core image is memory that was never written to: whole blocks of zeros are passed over. */
const BLOCK_BYTES = 16_384;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** Looks for many needles at once: a core image of hundreds of megabytes takes about a second. */
export class Search {
  readonly #byHead = new Map<number, Needle[]>();
  readonly #heads = new Uint8Array(2 ** (HEAD_BYTES * 8 - 3));
  readonly #longest: number;

  constructor(needles: readonly Needle[]) {
    for (const needle of needles) {
      const head = needle.bytes.length > HEAD_BYTES ? needle.bytes.readUIntBE(0, HEAD_BYTES) : 0;
      if (head === 0) throw new Error(`too short, or nothing but zeros, to look for: ${needle.form}`);
      this.#heads[head >> 3]! |= 1 << (head & 7);
      this.#byHead.set(head, [...(this.#byHead.get(head) ?? []), needle]);
    }
    this.#longest = Math.max(...needles.map(({ bytes }) => bytes.length));
  }

  inBytes(bytes: Buffer): Hit[] {
    const found = new Map<Needle, number>();
    this.#scan(bytes, bytes.length, found);
    return hitsOf(found);
  }

  inFile(file: string): Hit[] {
    const found = new Map<Needle, number>();
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES + this.#longest);
    const descriptor = openSync(file, 'r');
    try {
      let kept = 0;
      for (;;) {
        const read = readSync(descriptor, buffer, kept, CHUNK_BYTES, null);
        const end = kept + read;
        const last = read === 0;
        // What begins in the last bytes may go on in the next chunk: it is looked at then.
        const until = last ? end : Math.max(0, end - this.#longest);
        this.#scan(buffer.subarray(0, end), until, found);
        if (last) return hitsOf(found);
        buffer.copyWithin(0, until, end);
        kept = end - until;
      }
    } finally {
      closeSync(descriptor);
    }
  }

  /** Every file below a folder by its path, with what was found in it or in its name. `files` counts what was looked at. */
  inTree(
    folder: string,
    skip: (path: string) => boolean,
  ): { readonly files: string[]; readonly hits: TreeHits } {
    const files: string[] = [];
    const hits: Record<string, Hit[]> = {};
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = relative(folder, path);
      if (skip(name)) continue;
      const found = this.inBytes(Buffer.from(name));
      if (entry.isFile()) {
        files.push(name);
        found.push(...this.inFile(path));
      }
      if (found.length > 0) hits[name] = found;
    }
    return { files, hits };
  }

  /** Needles that begin before `until`. */
  #scan(bytes: Buffer, until: number, found: Map<Needle, number>): void {
    const end = Math.min(until, bytes.length - HEAD_BYTES + 1);
    for (let from = 0; from < end; from += BLOCK_BYTES) {
      const blockEnd = Math.min(from + BLOCK_BYTES, end);
      // No head is of zeros alone, so none lies wholly in such a block.
      const zero = bytes.compare(ZEROS, 0, blockEnd - from, from, blockEnd) === 0;
      this.#scanBlock(bytes, zero ? Math.max(from, blockEnd - HEAD_BYTES + 1) : from, blockEnd, found);
    }
  }

  #scanBlock(bytes: Buffer, from: number, end: number, found: Map<Needle, number>): void {
    const heads = this.#heads;
    let head = (bytes[from]! << 8) | bytes[from + 1]!;
    for (let at = from; at < end; at += 1) {
      head = ((head << 8) | bytes[at + 2]!) & 0xff_ffff;
      if ((heads[head >> 3]! & (1 << (head & 7))) === 0) continue;
      for (const needle of this.#byHead.get(head)!) {
        const after = at + needle.bytes.length;
        if (after <= bytes.length && needle.bytes.compare(bytes, at, after) === 0)
          found.set(needle, (found.get(needle) ?? 0) + 1);
      }
    }
  }
}

export type TreeHits = Readonly<Record<string, readonly Hit[]>>;

function hitsOf(found: ReadonlyMap<Needle, number>): Hit[] {
  return [...found].map(([{ canary, form }, count]) => ({ canary, form, count }));
}

/** The names of the canaries that were found, each once. */
export function canariesIn(hits: readonly Hit[]): string[] {
  return [...new Set(hits.map(({ canary }) => canary))].toSorted();
}
