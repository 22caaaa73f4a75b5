import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type KeyFiles, noticeSealingKid, openSealingKey } from '../../pki/trust.ts';
import type { RemoteKey, SealingKey } from '../../protocol/envelope.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { Counters } from '../runtime/counters.ts';
import type { Log } from '../runtime/log.ts';
import type { RouterConfig } from './config.ts';
import { routerError } from './errors.ts';

/** The present key, the former and the next, and room for as many again. */
export const SEALING_KEYS_MAX = 8;
const KEY_FILE = /^[0-9a-f]{16}\.crt$/;

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

/** Undefined where there is no such file. */
async function ifThere<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Key files by name, and those of the folder as they are now: a key without its certificate is on its way in or out. */
export async function sealingFiles(config: RouterConfig): Promise<readonly KeyFiles[]> {
  const { sealingKeys, sealingKeysIn } = config;
  if (sealingKeysIn === undefined) return sealingKeys;
  const { directory, passphraseFile } = sealingKeysIn;
  const names = new Set(await readdir(directory));
  const found = [...names]
    .filter((name) => KEY_FILE.test(name) && names.has(`${name.slice(0, -4)}.key`))
    .sort()
    .map((name) => ({
      certificate: join(directory, name),
      key: join(directory, `${name.slice(0, -4)}.key`),
      ...(passphraseFile === undefined ? {} : { passphraseFile }),
    }));
  return [...sealingKeys, ...found];
}

/**
 * The sealing keys and the notice of a router, from their files, read again when they change: during a roll-over a key
 * comes to join and later one goes, while readings come in (docs/adr/0183). What cannot be read is logged, and what is
 * in force stays. A key whose files are gone was destroyed, and is forgotten here, too; the last one stays.
 */
export class Keyring {
  readonly #config: RouterConfig;
  readonly #log: Log;
  readonly #counters: Counters;
  #keys: readonly (SealingKey | RemoteKey)[] = [];
  #tokenAway = false;
  #notice: { readonly bytes: Uint8Array; readonly kid: string } | undefined;
  #seen = '';
  #noticeSeen = '';
  #reading: Promise<void> = Promise.resolve();

  private constructor(config: RouterConfig, log: Log, counters: Counters) {
    this.#config = config;
    this.#log = log;
    this.#counters = counters;
    counters.gauge('sealing.keys', () => this.#keys.length);
  }

  /** @throws ERR_ROUTER_KEYS, ERR_TRUST_*, ERR_PKI_*, and what reading the folder throws */
  static async open(config: RouterConfig, log: Log, counters: Counters): Promise<Keyring> {
    const keyring = new Keyring(config, log, counters);
    await keyring.#readKeys();
    await keyring.#tryNotice();
    return keyring;
  }

  get keys(): readonly (SealingKey | RemoteKey)[] {
    return this.#keys;
  }

  /**
   * A message that was sealed to this key was opened: counted, so that an operator sees when nobody uses the old one.
   * @returns the notice for its device, where that should seal to another key
   */
  opened(kid: Uint8Array): Uint8Array | undefined {
    const name = Buffer.from(kid.buffer, kid.byteOffset, kid.length).toString('hex');
    this.#counters.count(`opened.${name}`);
    if (this.#notice === undefined || this.#notice.kid === name) return undefined;
    this.#counters.count('notice.given');
    return this.#notice.bytes;
  }

  /** Look whether the files changed. */
  reload(): Promise<void> {
    this.#reading = this.#reading.then(async () => {
      try {
        await this.#readKeys();
      } catch (error) {
        this.#counters.count('sealing.failures');
        this.#log.error({ err: error }, 'the sealing keys cannot be read again; those in force stay');
      }
      await this.#tryNotice();
    });
    return this.#reading;
  }

  async #readKeys(): Promise<void> {
    const { tenant, mode } = this.#config;
    const files = await sealingFiles(this.#config);
    const there: KeyFiles[] = [];
    const stamps: string[] = [];
    for (const each of files) {
      const found = await ifThere(() => stat(each.key, { bigint: true }));
      // At the start a key that is named has to be there.
      if (found === undefined && this.#keys.length > 0) continue;
      there.push(each);
      stamps.push(`${each.key}:${found?.ino}:${found?.size}:${found?.mtimeNs}`);
    }
    const stamp = stamps.join('\n');
    if (stamp === this.#seen && there.length > 0) return;
    if (there.length === 0 || there.length > SEALING_KEYS_MAX)
      throw routerError(
        'ERR_ROUTER_KEYS',
        `there are ${there.length} sealing keys: 1 to ${SEALING_KEYS_MAX} are what a router opens with`,
      );
    const options = { tenant, development: mode === 'development' };
    const keys = await Promise.all(
      there.map(async (each) => {
        const key = await openSealingKey(each, options);
        return 'agree' in key ? this.#watched(key) : key;
      }),
    );
    if (this.#seen !== '') this.#log.info({ keys: keys.length }, 'other sealing keys are in force');
    this.#keys = keys;
    this.#seen = stamp;
  }

  /** A token that goes away is said once, and once that it is back; each message that it cost is counted. */
  #watched(key: RemoteKey): RemoteKey {
    const agree = async (sent: Uint8Array): Promise<Uint8Array> => {
      try {
        const secret = await key.agree(sent);
        if (this.#tokenAway) this.#log.info('the token of the sealing keys answers again');
        this.#tokenAway = false;
        return secret;
      } catch (error) {
        this.#counters.count(`token.failures.${isHesError(error) ? error.code : 'internal'}`);
        if (!this.#tokenAway)
          this.#log.error({ err: error }, 'the token does not answer; devices keep what they have');
        this.#tokenAway = true;
        throw error;
      }
    };
    return { ...key, agree };
  }

  async #tryNotice(): Promise<void> {
    const file = this.#config.trust.notice;
    if (file === undefined) return;
    try {
      const bytes = await ifThere(() => readFile(file));
      const seen = bytes === undefined ? '' : bytes.toString('base64');
      if (seen === this.#noticeSeen) return;
      this.#notice = bytes === undefined ? undefined : { bytes, kid: noticeSealingKid(bytes) };
      this.#noticeSeen = seen;
    } catch (error) {
      this.#log.error({ err: error }, 'the notice to devices cannot be read; the one in force stays');
    }
  }
}
