import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { pkiError } from '../../../pki/errors.ts';
import { checkPassphrase, readPassphrase } from '../../../pki/keys/encrypted-key.ts';
import { processTerminal } from '../desk-client/terminal.ts';
import { usage } from '../errors.ts';

/**
 * Passphrases: from a file that only its owner reads, from an open descriptor, or typed at the terminal. Never from
 * the command line, which every user of the machine can see.
 */
export interface SecretSource {
  readonly file?: string | undefined;
  readonly fd?: number | undefined;
  /** What it opens, for the question and the error. */
  readonly what: string;
  /** How the flags are called, without `-file` and `-fd`. */
  readonly flag: string;
}

const SECRET_BYTES_MAX = 4_096;

/** A passphrase that opens what there is. @throws ERR_PKI_PASSPHRASE, ERR_PKI_RIGHTS, ERR_PKI_DAMAGED */
export async function secretOf({ file, fd, what, flag }: SecretSource): Promise<string> {
  if (file !== undefined && fd !== undefined) throw usage(`${flag}-file and ${flag}-fd: say one`);
  if (file !== undefined) return readPassphrase(file);
  if (fd !== undefined) return fromDescriptor(fd);
  const terminal = processTerminal();
  if (!terminal.present)
    throw pkiError(
      'ERR_PKI_PASSPHRASE',
      `there is no terminal to ask for the passphrase of ${what}: give ${flag}-file or ${flag}-fd`,
    );
  return terminal.askSecret(`Passphrase of ${what}: `);
}

/** A passphrase that will protect something: strong, and typed twice where it is typed. @throws ERR_PKI_WEAK, as above */
export async function newSecretOf(source: SecretSource): Promise<string> {
  const secret = await secretOf({ ...source, what: `${source.what} (new)` });
  checkPassphrase(secret, source.what);
  const typed = source.file === undefined && source.fd === undefined;
  if (typed && secret !== (await processTerminal().askSecret('The same again: ')))
    throw pkiError('ERR_PKI_PASSPHRASE', 'the two are not the same');
  return secret;
}

function fromDescriptor(fd: number): string {
  let text: string;
  try {
    text = readFileSync(fd, 'utf8').slice(0, SECRET_BYTES_MAX);
  } catch (cause) {
    throw pkiError('ERR_PKI_PASSPHRASE', `descriptor ${fd} cannot be read`, { cause });
  }
  const line = text.split('\n', 1)[0]!.replace(/\r$/, '');
  if (line === '') throw pkiError('ERR_PKI_PASSPHRASE', `nothing came from descriptor ${fd}`);
  return line;
}

/** Who asks, for the audit of the register. */
export function asker(): string {
  try {
    return `cli:${userInfo().username}`;
  } catch {
    return 'cli';
  }
}
