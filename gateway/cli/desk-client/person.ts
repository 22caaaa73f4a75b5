import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { officeLayout } from '../../../pki/files/layout.ts';
import {
  type OfficeIdentity,
  type OpenedOfficeIdentity,
  openOfficeIdentity,
  readOfficeIdentity,
  readPassphrase,
} from '../../../pki/office/identity.ts';
import { isRole } from '../../../protocol/command/roles.ts';
import { isTenantId } from '../../../protocol/identity.ts';
import { usage } from '../errors.ts';
import { clientError } from './errors.ts';
import type { DeskFlags } from './flags.ts';
import type { Terminal } from './terminal.ts';

/** Who asks, as the flags name him. His keys are opened in this process only, and when they are needed. */
export interface Person {
  readonly identity: OfficeIdentity;
  readonly file: string;
  /** @throws ERR_PKI_PASSPHRASE, ERR_PKI_OFFICE, ERR_OP_PASSPHRASE */
  open(): Promise<OpenedOfficeIdentity>;
}

export const DATA_DEFAULT = '.hes';
const PASSPHRASE_BYTES_MAX = 4_096;

/** @throws ERR_USAGE, ERR_OP_IDENTITY, ERR_PKI_OFFICE, ERR_PKI_RIGHTS */
export function personOf(flags: DeskFlags, terminal: Terminal): Person {
  const { as, identity: file } = flags;
  if (as !== undefined && file !== undefined) throw usage('--as and --identity name two people: say one');
  if (as !== undefined) return developmentPerson(as, flags);
  if (file === undefined)
    throw clientError(
      'ERR_OP_IDENTITY',
      'say who asks: --as TENANT/NAME (development identities of `hes up`), or --identity FILE',
    );
  const identity = read(file, `there is no identity ${file}`);
  let opened: OpenedOfficeIdentity | undefined;
  return {
    identity,
    file,
    async open() {
      opened ??= openOfficeIdentity(identity, await passphraseOf(flags, file, terminal));
      return opened;
    },
  };
}

const NAME = /^([a-z0-9]+)\/([A-Za-z0-9._-]+)$/;

/** Of the data folder: `ores/operator` is `<data>/pki/office/ores/people/operator.json`. */
function developmentPerson(as: string, { data = DATA_DEFAULT }: DeskFlags): Person {
  const [, tenant, name] = NAME.exec(as) ?? [];
  if (!isTenantId(tenant) || name === undefined)
    throw usage(`--as ${as}: it is TENANT/NAME, as ores/operator`);
  const files = officeLayout(join(data, 'pki', 'office')).person(tenant, name);
  const people = isRole(name)
    ? ''
    : ' (their names are operator, approver, supervisor, prepayment, lopex, marco)';
  const identity = read(
    files.identity,
    `the data folder ${data} has no identity ${as}${people}: npm start makes them, and --data DIR says where`,
  );
  let opened: OpenedOfficeIdentity | undefined;
  return {
    identity,
    file: files.identity,
    async open() {
      opened ??= openOfficeIdentity(identity, readPassphrase(files.passphrase));
      return opened;
    },
  };
}

function read(file: string, missing: string): OfficeIdentity {
  try {
    return readOfficeIdentity(file);
  } catch (cause) {
    if (isMissing(cause)) throw clientError('ERR_OP_IDENTITY', missing, { cause });
    throw cause;
  }
}

/** A missing file, by itself or as the cause of an error that says so. */
function isMissing(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if ((at as NodeJS.ErrnoException).code === 'ENOENT') return true;
  return false;
}

async function passphraseOf(flags: DeskFlags, file: string, terminal: Terminal): Promise<string> {
  const { passphraseFile, passphraseFd } = flags;
  if (passphraseFile !== undefined) return readPassphrase(passphraseFile);
  if (passphraseFd !== undefined) return fromDescriptor(passphraseFd);
  if (!terminal.present)
    throw clientError(
      'ERR_OP_PASSPHRASE',
      `there is no terminal to ask for the passphrase of ${file}: give --passphrase-file or --passphrase-fd`,
    );
  return terminal.askSecret(`Passphrase of ${file}: `);
}

function fromDescriptor(fd: number): string {
  let text: string;
  try {
    text = readFileSync(fd, 'utf8').slice(0, PASSPHRASE_BYTES_MAX);
  } catch (cause) {
    throw clientError('ERR_OP_PASSPHRASE', `descriptor ${fd} cannot be read`, { cause });
  }
  const line = text.split('\n', 1)[0]!.replace(/\r$/, '');
  if (line === '') throw clientError('ERR_OP_PASSPHRASE', `nothing came from descriptor ${fd}`);
  return line;
}
