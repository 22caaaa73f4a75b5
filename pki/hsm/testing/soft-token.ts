import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenPlace } from '../session.ts';

/** SoftHSM2 with tokens in a folder of its own, for tests. */

/** Where Debian, Fedora, and Homebrew put it. */
const MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];
export const SOFTHSM = MODULES.find((path) => existsSync(path));

export const PIN = 'correct-horse-7';
const SO_PIN = 'security-officer-1';

export interface SoftTokens {
  readonly directory: string;
  /** For SOFTHSM2_CONF. */
  readonly conf: string;
  readonly pinFile: string;
  place(token: string): TokenPlace;
  /** A new token, or one of that label initialized anew: every key of it is gone. */
  initialize(token: string, options?: { readonly again?: boolean }): void;
  /** A key from elsewhere, PKCS#8 PEM. */
  import(token: string, name: { readonly label: string; readonly id: string }, keyPem: string): void;
  remove(): void;
}

/** The module reads SOFTHSM2_CONF from the environment of this process, once: one folder for each test file. */
export function softTokens(): SoftTokens {
  const directory = mkdtempSync(join(tmpdir(), 'hes-hsm-'));
  const conf = join(directory, 'softhsm2.conf');
  const tokens = join(directory, 'tokens');
  mkdirSync(tokens);
  writeFileSync(conf, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const pinFile = join(directory, 'pin');
  writeFileSync(pinFile, `${PIN}\n`, { mode: 0o600 });
  process.env['SOFTHSM2_CONF'] = conf;
  const util = (...args: readonly string[]) =>
    execFileSync('softhsm2-util', args, { env: { ...process.env, SOFTHSM2_CONF: conf }, stdio: 'pipe' });
  return {
    directory,
    conf,
    pinFile,
    place: (token) => ({ module: SOFTHSM ?? '/nowhere', token, pinFile }),
    initialize(token, { again = false } = {}) {
      if (again) util('--delete-token', '--token', token);
      util('--init-token', '--free', '--label', token, '--pin', PIN, '--so-pin', SO_PIN);
    },
    import(token, { label, id }, keyPem) {
      const file = join(directory, `${id}.pem`);
      writeFileSync(file, keyPem, { mode: 0o600 });
      util('--import', file, '--token', token, '--label', label, '--id', id, '--pin', PIN);
      rmSync(file);
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
