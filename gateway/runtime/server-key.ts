import { statSync } from 'node:fs';
import type { Log } from './log.ts';

/** What a TLS listener shows and proves, PEM. As `ServerKey` of pki. */
export interface ServerKey {
  readonly cert: string;
  readonly key: string;
}

export interface ServerKeyParts {
  readonly files: {
    readonly certificate: string;
    readonly key: string;
    readonly passphraseFile?: string | undefined;
  };
  /** Reads the pair and holds it against what it has to be. @throws where it is anything else */
  readonly read: () => ServerKey;
  /** Whether it may take the place of one that clients believe: asked of every pair but the first. @throws if not */
  readonly check: (renewed: ServerKey) => void;
  readonly log: Log;
}

/**
 * A server's own certificate and key, read again when their files are others (docs/adr/0192). A certificate file and a
 * key file are two files, and whoever renews them writes one after the other: a pair that does not fit is no fault yet,
 * what is in force stays, and the next look may find the other half.
 */
export class ServerKeyFiles {
  readonly #parts: ServerKeyParts;
  #inForce: ServerKey;
  /** Of the files whose content is in force. */
  #taken: string;
  /** Of the files that were complained about: once is enough. */
  #refused = '';
  #put: ((renewed: ServerKey) => void) | undefined;

  /** @throws what `read` throws */
  constructor(parts: ServerKeyParts) {
    this.#parts = parts;
    this.#taken = this.#stamp();
    this.#inForce = parts.read();
  }

  get inForce(): ServerKey {
    return this.#inForce;
  }

  /** From now on a renewed pair is given to `put`; before, there is no listener that could take one. */
  serve(put: (renewed: ServerKey) => void): void {
    this.#put = put;
  }

  /** Look, and put in force what is new. Never throws: what cannot be taken is logged, and changes nothing. */
  renew(): void {
    const put = this.#put;
    const stamp = this.#stamp();
    if (put === undefined || stamp === this.#taken) return;
    const { read, check, log } = this.#parts;
    try {
      const renewed = read();
      const { cert, key } = this.#inForce;
      if (renewed.cert !== cert || renewed.key !== key) {
        check(renewed);
        put(renewed);
        this.#inForce = renewed;
        log.info({}, 'a renewed server certificate is in force');
      }
      this.#taken = stamp;
    } catch (error) {
      // Looked at again each time: a certificate may become valid while its file stays as it is.
      if (stamp === this.#refused) return;
      this.#refused = stamp;
      log.error({ err: error }, 'the server certificate cannot be renewed; the one in force stays');
    }
  }

  #stamp(): string {
    const { certificate, key, passphraseFile } = this.#parts.files;
    return [certificate, key, ...(passphraseFile === undefined ? [] : [passphraseFile])]
      .map(stampOf)
      .join(',');
  }
}

/** One that cannot be looked at is another file, too: reading it then says what is wrong. */
function stampOf(file: string): string {
  try {
    const { ino, size, mtimeNs } = statSync(file, { bigint: true });
    return `${ino}:${size}:${mtimeNs}`;
  } catch {
    return 'none';
  }
}
