import { isAbsolute, join, resolve } from 'node:path';
import { type CeremonyKey, ceremonyKeys, createProductionPki } from '../../../pki/ca/ceremony.ts';
import { readManifest } from '../../../pki/ca/open.ts';
import { createDevelopmentPki } from '../../../pki/development/development.ts';
import { fingerprintText, rootFingerprint } from '../../../pki/enrolment/answer-accept.ts';
import { pkiLayout } from '../../../pki/files/layout.ts';
import type { TokenPlace } from '../../../pki/hsm/session.ts';
import { parseTenantId, type TenantId } from '../../../protocol/identity.ts';
import { CONSORTIUM } from '../../../protocol/tenants.ts';
import { usage } from '../errors.ts';
import type { PkiFlags } from './flags.ts';
import { columns, print, printJson } from './print.ts';
import { newSecretOf } from './secrets.ts';

export interface InitFlags extends PkiFlags {
  readonly tenants?: string;
  readonly development?: boolean;
  readonly production?: boolean;
  readonly rootPassphraseFile?: string;
  readonly rootPassphraseFd?: number;
  readonly servicePassphraseFile?: string;
  readonly servicePassphraseFd?: number;
  readonly frontHost?: readonly string[];
  readonly deskHost?: string;
  readonly tokenModule?: string;
  readonly tokenLabel?: string;
  readonly pinFile?: string;
}

/**
 * `hes pki init`: the development PKI that `hes up` would make at its first start; with a passphrase, the ceremony.
 * @throws ERR_USAGE, ERR_PKI_EXISTS, ERR_PKI_WEAK, ERR_PKI_PASSPHRASE, ERR_PKI_RIGHTS
 */
export async function pkiInit(flags: InitFlags): Promise<void> {
  const tenants: readonly TenantId[] =
    flags.tenants === undefined
      ? CONSORTIUM.map(({ id }) => id)
      : flags.tenants.split(',').map((name) => parseTenantId(name.trim()));
  const directory = join(flags.data ?? '.hes', 'pki');
  const secret = flags.passphraseFile !== undefined || flags.passphraseFd !== undefined;
  if (flags.development === true && (secret || flags.production === true))
    throw usage('--development makes keys without a passphrase: say one or the other');
  if (secret || flags.production === true) return ceremony(flags, directory, tenants);
  if (flags.dryRun === true) {
    if (flags.json === true) printJson({ directory, development: true, tenants, dryRun: true });
    else print(`A development PKI for ${tenants.join(', ')} would be made in ${directory}.`);
    return;
  }
  const pki = createDevelopmentPki({ directory, tenants, nowMs: Date.now() });
  const fingerprint = rootFingerprint(pki.root.pem);
  const made = {
    directory: pki.layout.directory,
    development: true,
    tenants: pki.tenants,
    rootFingerprint: fingerprint,
  };
  if (flags.json === true) printJson(made);
  else
    print(`A development PKI for ${pki.tenants.join(', ')} is in ${made.directory}. It is for this machine only.
Its field root is ${pki.layout.root.certificate}, SHA-256 ${fingerprintText(fingerprint)}.`);
}

/** A host name with `{tenant}` in it, for one desk each. */
const TENANT_WORD = '{tenant}';

async function ceremony(flags: InitFlags, directory: string, tenants: readonly TenantId[]): Promise<void> {
  const { frontHost = [], deskHost } = flags;
  if (frontHost.length === 0 || deskHost === undefined)
    throw usage('say how the servers are reached: --front-host NAME and --desk-host {tenant}.desk.example');
  if (tenants.length > 1 && !deskHost.includes(TENANT_WORD))
    throw usage(`--desk-host names every operator’s desk: it needs ${TENANT_WORD} in it`);
  const token = tokenOf(flags);
  const inToken = (key: CeremonyKey): string => tokenColumn(key, token);
  const coming = ceremonyKeys(
    pkiLayout(directory),
    tenants.map((tenant) => ({ tenant, kid: 'KEY' })),
  );
  if (flags.dryRun === true) {
    if (flags.json === true)
      printJson({ directory, development: false, tenants, keys: coming, dryRun: true });
    else print(`These keys would be made, encrypted, and nothing is made now:\n${keyTable(coming, inToken)}`);
    return;
  }
  const passphrases = await ceremonyPassphrases(flags);
  // Each passphrase is stretched once for each key: of seven operators that is half a minute without a word.
  if (flags.json !== true) print(`${coming.length} keys are made; this takes up to a minute.`);
  const pki = createProductionPki({
    directory,
    tenants,
    nowMs: Date.now(),
    passphrases,
    token,
    frontHosts: frontHost,
    deskHosts: (tenant) => [deskHost.replaceAll(TENANT_WORD, tenant)],
  });
  const keys = ceremonyKeys(pki.layout, readManifest(directory).tenants);
  const field = rootFingerprint(pki.root.pem);
  const office = rootFingerprint(pki.office?.root ?? '');
  if (flags.json === true)
    printJson({
      directory: pki.layout.directory,
      development: false,
      tenants,
      rootFingerprint: field,
      officeRootFingerprint: office,
      keys,
    });
  else
    print(`Two roots, the head-end's CA and both CAs of ${tenants.join(', ')} are in ${pki.layout.directory}.
Every key file is encrypted (scrypt, AES-256); without its passphrase it is lost:
${keyTable(keys, inToken)}

Publish these fingerprints (SHA-256); installers and devices compare the first:
  field root   ${fingerprintText(field)}
  office root  ${fingerprintText(office)}

Now:
1. Copy both root keys to two media each, lock them away in two places apart from their passphrase, and remove them
   here. They are needed for a new CA only.
2. Take the keys of services to their machines, each with its certificate, and remove them here. Their
   configurations name a passphraseFile.
3. Keep this folder, its passphrase and a backup where certificates are issued. ca/*.db is the memory of the CAs.
4. Publish revocation lists at least once a week (hes pki crl, by a timer), or everything stops after seven days.
5. hes pki issue person … makes the first people, hes pki register the first devices.`);
}

const keyTable = (keys: readonly CeremonyKey[], inToken: (key: CeremonyKey) => string): string =>
  columns(keys.map((key) => [`  ${key.kind}`, key.what, key.file, inToken(key)]));

type TokenOf = (owner: TenantId | 'head-end') => TokenPlace;

/** Where the CA keys and sealing keys are to be made, if in a token. @throws ERR_USAGE */
function tokenOf({ tokenModule, tokenLabel, pinFile }: InitFlags): TokenOf | undefined {
  if (tokenModule === undefined && tokenLabel === undefined && pinFile === undefined) return undefined;
  if (tokenModule === undefined || tokenLabel === undefined || pinFile === undefined)
    throw usage('--token-module, --token-label and --pin-file come together');
  if (!isAbsolute(tokenModule)) throw usage('--token-module takes the absolute path of the PKCS#11 module');
  const named = (text: string, owner: string) => text.replaceAll(TENANT_WORD, owner);
  return (owner) => ({
    module: tokenModule,
    token: named(tokenLabel, owner),
    pinFile: resolve(named(pinFile, owner)),
  });
}

/** The keys of the roots are locked away, and those of servers go to their machines: both lie in files. */
function tokenColumn({ owner }: CeremonyKey, token: TokenOf | undefined): string {
  return owner === undefined || token === undefined ? '' : `in the token ${token(owner).token}`;
}

async function ceremonyPassphrases(flags: InitFlags) {
  const { passphraseFile, passphraseFd, rootPassphraseFile, rootPassphraseFd } = flags;
  const { servicePassphraseFile, servicePassphraseFd } = flags;
  const ca = await newSecretOf({
    file: passphraseFile,
    fd: passphraseFd,
    what: 'the issuing CAs',
    flag: '--passphrase',
  });
  const typed = passphraseFile === undefined && passphraseFd === undefined;
  const other = async (file: string | undefined, fd: number | undefined, what: string, flag: string) =>
    file === undefined && fd === undefined && !typed ? ca : newSecretOf({ file, fd, what, flag });
  return {
    ca,
    root: await other(rootPassphraseFile, rootPassphraseFd, 'the roots', '--root-passphrase'),
    service: await other(
      servicePassphraseFile,
      servicePassphraseFd,
      'the keys of services',
      '--service-passphrase',
    ),
  };
}
