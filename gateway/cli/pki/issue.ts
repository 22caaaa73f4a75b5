import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Authority } from '../../../pki/ca/authority.ts';
import { issueIdentity } from '../../../pki/ca/person.ts';
import { ISSUE_ROWS, type IssueName } from '../../../pki/ca/rows.ts';
import { pkiError } from '../../../pki/errors.ts';
import { makeFolder, writeNew } from '../../../pki/files/files.ts';
import { encryptKey } from '../../../pki/keys/encrypted-key.ts';
import { newKeyPair } from '../../../pki/x509/certify.ts';
import { isPersonName } from '../../../pki/x509/names.ts';
import { PROFILES } from '../../../pki/x509/profiles.ts';
import { isRole, ROLES } from '../../../protocol/command/roles.ts';
import { usage } from '../errors.ts';
import type { PkiFlags } from './flags.ts';
import { atHeadEnd, atTenant, tenantOf } from './opened.ts';
import { print, printJson } from './print.ts';
import { asker, newSecretOf } from './secrets.ts';

/** `hes pki issue person|system|desk|front`: new keys here, certified, and written encrypted. */

export const ISSUE_KINDS = ['person', 'system', 'desk', 'front'] as const;
export type IssueKind = (typeof ISSUE_KINDS)[number];

export interface IssueFlags extends PkiFlags {
  readonly role?: string;
  readonly name?: string;
  readonly host?: readonly string[];
  readonly desk?: string;
  readonly out: string;
}

/** @throws ERR_USAGE, ERR_PKI_*, ERR_CA_* */
export async function pkiIssue(kind: IssueKind, flags: IssueFlags): Promise<void> {
  if (kind === 'person' || kind === 'system') await issuePerson(kind, flags);
  else await issueServer(kind, flags);
}

async function issuePerson(kind: 'person' | 'system', flags: IssueFlags): Promise<void> {
  const { role, name: person, desk, out } = flags;
  const roles = Object.entries(ROLES).filter(([, row]) => row.kind === kind);
  const names = roles.map(([word]) => word);
  if (!isRole(role) || ROLES[role].kind !== kind) throw usage(`--role takes ${names.join(', ')}`);
  if (!isPersonName(person))
    throw usage('--name takes a name: a lower-case letter, then letters, digits, dots and hyphens');
  refuseExisting(out);
  const tenant = tenantOf(flags);
  if (flags.dryRun === true) {
    if (flags.json === true) printJson({ tenant, role, person, out, days: personDays, dryRun: true });
    else
      print(
        `${kind} ${person}, ${role} of ${tenant}, would get two certificates for ${personDays} days in ${out}.`,
      );
    return;
  }
  const passphrase = await newPassphrase(flags, `the identity of ${person}`);
  const identity = await atTenant(flags, tenant, ({ office, pki }) => {
    const { development } = pki;
    const root = pki.office?.root ?? '';
    return issueIdentity(office, {
      name: { role, person },
      root,
      passphrase,
      by: asker(),
      development,
      desk,
    });
  });
  writeNew(out, `${JSON.stringify(identity, null, 2)}\n`);
  if (flags.json === true) printJson({ tenant, role, person, out, days: personDays });
  else
    print(`${person}, ${role} of ${tenant}, can sign and call the API for ${personDays} days with ${out}.
The passphrase opens it: give it to ${person} by another way than the file. hes pki renew --identity ${out} renews it.`);
}

const personDays = PROFILES.personSign.validityDays;

async function issueServer(kind: 'desk' | 'front', flags: IssueFlags): Promise<void> {
  const { host = [], out } = flags;
  if (host.length === 0) throw usage('--host says by which name it is reached; it may be repeated');
  const files = serverFiles(out);
  refuseExisting(files.key);
  const profile = kind === 'desk' ? 'deskServer' : 'frontServer';
  if (flags.dryRun === true) {
    checkHosts(profile, host, kind === 'desk' ? tenantOf(flags) : undefined);
    if (flags.json === true) printJson({ kind, hosts: host, ...files, dryRun: true });
    else print(`A certificate of a ${kind} for ${host.join(', ')} would be made in ${out}.`);
    return;
  }
  const passphrase = await newPassphrase(flags, `the key of the ${kind}`);
  const work = (authority: Authority) => issueServerKey(authority, profile, { dns: host }, passphrase);
  const made =
    kind === 'desk'
      ? await atTenant(flags, tenantOf(flags), ({ office }) => work(office))
      : await atHeadEnd(flags, work);
  writeServer(out, made);
  if (flags.json === true) printJson({ kind, hosts: host, serial: made.serial, ...files });
  else print(`${host.join(', ')}: ${files.certificate}, and its encrypted key ${files.key}.`);
}

function checkHosts(
  profile: 'deskServer' | 'frontServer',
  dns: readonly string[],
  tenant: ReturnType<typeof tenantOf> | undefined,
): void {
  ISSUE_ROWS[profile]?.subject({ tenant, name: { dns }, expected: undefined });
}

export interface ServerFiles {
  readonly serial: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** A fresh key of a server; `replaces` renews that certificate, with its names. */
export function issueServerKey(
  authority: Authority,
  profile: 'deskServer' | 'frontServer',
  name: IssueName,
  passphrase: string,
  replaces?: Uint8Array,
): ServerFiles {
  const { privateKeyPem, spki: publicKey } = newKeyPair();
  const by = asker();
  const { pem, serial } =
    replaces === undefined
      ? authority.issue({ profile, publicKey, name, by })
      : authority.renew({ certificate: replaces, publicKey, by });
  return {
    serial,
    certificatePem: pem + authority.issuer.certificatePem,
    keyPem: encryptKey(privateKeyPem, passphrase),
  };
}

export const serverFiles = (out: string) => ({
  certificate: join(out, 'server.crt'),
  key: join(out, 'server.key'),
});

export function writeServer(out: string, { certificatePem, keyPem }: ServerFiles): void {
  const files = serverFiles(out);
  makeFolder(out);
  writeNew(files.key, keyPem);
  writeNew(files.certificate, certificatePem);
}

export function refuseExisting(file: string): void {
  if (existsSync(file)) throw pkiError('ERR_PKI_EXISTS', `there is a ${file} already; it is not overwritten`);
}

export function newPassphrase(flags: PkiFlags, what: string): Promise<string> {
  const { newPassphraseFile: file, newPassphraseFd: fd } = flags;
  return newSecretOf({ file, fd, what, flag: '--new-passphrase' });
}
