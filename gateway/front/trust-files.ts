import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import {
  checkServerKey,
  createTlsTrust,
  loadServerKey,
  type PinnedIssuer,
  type TlsTrust,
} from '../../pki/trust.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { ServerKeyFiles } from '../runtime/server-key.ts';
import type { FrontConfig } from './config.ts';
import { frontError } from './errors.ts';
import type { TlsFiles } from './tls-options.ts';

/** Node's `ticketKeys`: 16 bytes of name, 16 of HMAC key, 16 of AES key. */
const TICKET_KEYS_BYTES = 48;
const HOUR_MS = 3_600_000;

export interface LoadedTrust {
  readonly trust: TlsTrust;
  readonly issuers: readonly PinnedIssuer[];
  readonly tls: TlsFiles;
  /** Its certificate and key, which may be renewed. */
  readonly serverKey: ServerKeyFiles;
}

/**
 * Read what the front trusts and its one private key.
 * @throws ERR_FRONT_FILE, ERR_FRONT_TICKET_KEYS, ERR_TRUST_*, ERR_PKI_*
 */
export async function loadTrust(
  config: FrontConfig,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<LoadedTrust> {
  const root = await readFront(config.root);
  const serverKey = new ServerKeyFiles({
    files: config.tls,
    read: () => loadServerKey(config.tls, { development: config.development }),
    check: (renewed) => checkServerKey(renewed, { root, nowMs: clock.nowMs() }),
    log,
  });
  const issuers = await readIssuers(config);
  const trust = createTlsTrust({
    root,
    issuers,
    crls: await readAll(crlFiles(config)),
    crlGraceMs: config.limits.crlGraceHours * HOUR_MS,
    development: config.development,
  });
  return {
    trust,
    issuers,
    serverKey,
    tls: {
      serverKey: serverKey.inForce,
      authorities: authoritiesOf(root, issuers),
      ticketKeys: await loadTicketKeys(config.tls.ticketKeys),
    },
  };
}

export function drawTicketKeys(): Buffer {
  return randomBytes(TICKET_KEYS_BYTES);
}

/** @throws ERR_FRONT_FILE, ERR_FRONT_TICKET_KEYS */
export async function loadTicketKeys(file: string | undefined): Promise<Buffer> {
  if (file === undefined) return drawTicketKeys();
  const keys = await readBytes(file);
  if (keys.length !== TICKET_KEYS_BYTES)
    throw frontError('ERR_FRONT_TICKET_KEYS', `${file}: not ${TICKET_KEYS_BYTES} bytes`, {
      context: { file },
    });
  return keys;
}

const crlFiles = (config: FrontConfig): readonly string[] =>
  Object.values(config.tenants).flatMap(({ crls }) => crls);

const issuerFiles = (config: FrontConfig): readonly { readonly tenant: TenantId; readonly file: string }[] =>
  Object.entries(config.tenants).flatMap(([tenant, { issuing }]) =>
    issuing.map((file) => ({ tenant: tenant as TenantId, file })),
  );

/** The field root and the issuing CAs, as TLS takes them. */
const authoritiesOf = (root: string, issuers: readonly PinnedIssuer[]): readonly string[] => [
  root,
  ...issuers.map(({ certificate }) => String(certificate)),
];

/** What files say now, where it is not what they said before. */
export interface ChangedTrust {
  readonly crls: readonly string[];
  /** Where the issuing CAs changed, too: a roll-over. */
  readonly anchors?: { readonly issuers: readonly PinnedIssuer[]; readonly authorities: readonly string[] };
}

/** Issuing CAs and revocation lists on disk, and whether they changed. */
export class TrustFiles {
  readonly #config: FrontConfig;
  readonly #files: readonly string[];
  #seen = '';
  #issuersInForce = '';

  constructor(config: FrontConfig) {
    this.#config = config;
    this.#files = [...issuerFiles(config).map(({ file }) => file), ...crlFiles(config)];
  }

  /** Where any file is another than at the last look; undefined where all are the same. */
  async readChanged(force = false): Promise<ChangedTrust | undefined> {
    const now = await this.#stamp();
    if (now === this.#seen && !force) return undefined;
    const crls = await readAll(crlFiles(this.#config));
    const issuers = await readIssuers(this.#config);
    const changed = textOf(issuers) !== this.#issuersInForce;
    const authorities = changed ? authoritiesOf(await readFront(this.#config.root), issuers) : [];
    this.#seen = now;
    return { crls, ...(changed ? { anchors: { issuers, authorities } } : {}) };
  }

  /** The issuing CAs that were read are in force. */
  inForce({ issuers }: { readonly issuers: readonly PinnedIssuer[] }): void {
    this.#issuersInForce = textOf(issuers);
  }

  /** Take note of the files as they are, after they were read for the first time. */
  async note(): Promise<void> {
    this.#seen = await this.#stamp();
  }

  async #stamp(): Promise<string> {
    const stamps = this.#files.map(async (file) => {
      const { mtimeNs, ino, size } = await reading(file, () => stat(file, { bigint: true }));
      return `${ino}:${size}:${mtimeNs}`;
    });
    return (await Promise.all(stamps)).join(',');
  }
}

const textOf = (issuers: readonly PinnedIssuer[]): string =>
  issuers.map(({ tenant, certificate }) => `${tenant}\n${certificate}`).join('\n');

const readIssuers = (config: FrontConfig): Promise<PinnedIssuer[]> =>
  Promise.all(
    issuerFiles(config).map(async ({ tenant, file }) => ({ tenant, certificate: await readFront(file) })),
  );

const readAll = (files: readonly string[]): Promise<string[]> => Promise.all(files.map(readFront));

const readFront = async (file: string): Promise<string> => (await readBytes(file)).toString('utf8');

const readBytes = (file: string): Promise<Buffer> => reading(file, () => readFile(file));

async function reading<Result>(file: string, read: () => Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (cause) {
    throw frontError('ERR_FRONT_FILE', `${file} cannot be read`, { cause, context: { file } });
  }
}
