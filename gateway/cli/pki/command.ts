import { Argument, type Command } from 'commander';
import { hinted } from '../hints.ts';
import { wholeNumber } from '../numbers.ts';
import type { PkiEnrolFlags } from './enrol.ts';
import type { ExpiringFlags } from './expiring.ts';
import type { ExportFlags } from './export.ts';
import { commonFlags, type PkiFlags, secretFlags } from './flags.ts';
import type { InitFlags } from './init.ts';
import type { IssueFlags, IssueKind } from './issue.ts';
import type { ListFlags } from './list.ts';
import type { RegisterFlags } from './register.ts';
import type { RenewFlags } from './renew.ts';
import type { RevokeFlags } from './revoke.ts';
import { addRolloverCommands } from './rollover-command.ts';

/** Words of `issue`; the module that knows them is loaded when it runs. */
const ISSUE_KINDS = ['person', 'system', 'desk', 'front'];
const EXPORT_WORDS = ['browser', 'java', 'sap', 'pem'];
const KEY_WORDS = ['tls', 'sign'];
const STATE_WORDS = ['valid', 'replaced', 'revoked'];
const REASON_WORDS = [
  'keyCompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
  'unspecified',
];
const DAYS_MAX = 36_525;
const ROWS_MAX = 1_000_000;
const CODE_DAYS_MAX = 366;

const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** `hes pki …`: keys and certificates on the operator's side. */
export function addPkiCommands(program: Command): void {
  const pki = program.command('pki').description('keys and certificates');
  addMaking(pki);
  addDevices(pki);
  addChanges(pki);
  addRolloverCommands(pki);
  addLooks(pki);
  addTicketKeys(pki);
}

const CAS = 'the issuing CAs';

function addMaking(pki: Command): void {
  const init = pki
    .command('init')
    .description(
      'make a PKI: roots, issuing CAs, sealing keys, servers; for development, or with a passphrase for production',
    )
    .option('--tenants <list>', 'operators, separated by commas (default: the consortium)')
    .option('--development', 'keys without a passphrase, for this machine only (the default)')
    .option('--production', 'every key encrypted; so too where a passphrase is given')
    .option(
      '--front-host <name>',
      'production: by which name meters reach the front; may be repeated',
      several,
    )
    .option('--desk-host <name>', 'production: by which name desks are reached, as {tenant}.desk.example.net')
    .option(
      '--token-module <file>',
      'production: the PKCS#11 module of a token that CA keys and sealing keys are made in',
    )
    .option('--token-label <label>', 'which token; {tenant} stands for its owner, as in hes-{tenant}')
    .option('--pin-file <file>', 'its PIN in the first line; {tenant} as above');
  secretFlags(init, '', CAS);
  secretFlags(init, 'root-', 'the roots; otherwise that of the CAs');
  secretFlags(init, 'service-', 'the keys of services; otherwise that of the CAs');
  commonFlags(init, 'data', 'json', 'dryRun').action(async (flags: InitFlags) => {
    const { pkiInit } = await import('./init.ts');
    await pkiInit(flags);
  });

  const issue = pki
    .command('issue')
    .description('make keys and certificates of a person, a system, a desk or a front (devices: enrol)')
    .addArgument(new Argument('<kind>', 'for whom').choices(ISSUE_KINDS))
    .requiredOption('--out <path>', 'the identity file; of a server, the folder of its two files')
    .option(
      '--role <role>',
      'of a person: operator, approver, prepayment or supervisor; of a system: lopex or marco',
    )
    .option('--name <name>', 'of a person or system')
    .option('--desk <url>', 'of a person or system: the API, written into the identity')
    .option('--host <name>', 'of a server: by which name it is reached; may be repeated', several);
  secretFlags(issue, '', CAS);
  secretFlags(issue, 'new-', 'what is made');
  commonFlags(issue, 'tenant', 'data', 'json', 'dryRun').action(
    async (kind: IssueKind, flags: IssueFlags) => {
      const { pkiIssue } = await import('./issue.ts');
      await pkiIssue(kind, flags);
    },
  );

  const out = pki
    .command('export')
    .description('write a key of an identity file for a browser, Java or SAP (PKCS#12), or as PEM')
    .argument('<identity>', 'identity file of a person or system')
    .requiredOption('--out <file>', 'where it goes')
    .addOption(hinted('--for <software>', 'what reads it (default browser)', EXPORT_WORDS))
    .addOption(hinted('--key <which>', 'that for the API, or for signatures (default tls)', KEY_WORDS));
  secretFlags(out, '', 'the identity');
  secretFlags(out, 'new-', 'what is written');
  commonFlags(out, 'json').action(async (file: string, flags: ExportFlags) => {
    const { pkiExport } = await import('./export.ts');
    await pkiExport(file, flags);
  });
}

function addDevices(pki: Command): void {
  const register = pki
    .command('register')
    .description('expect a device, or a list of them: others get no certificate')
    .option('--csv <file>', 'a list with the columns serial, birth, guests, device')
    .option('--serial <number>', "the manufacturer's serial number")
    .option('--birth <file>', 'its birth certificate, or the SHA-256 of the key in it')
    .option('--guest <tenant>', 'another operator whose meter is behind it; may be repeated', several)
    .option('--device <id>', 'the id that it gets (default: a fresh random one)')
    .option('--code', 'make a one-time code for the installer')
    .option('--code-days <n>', 'how long the code is good (default 30)', wholeNumber(1, CODE_DAYS_MAX))
    .option('--out <file>', 'where ids and codes go, as CSV (default: standard output)');
  commonFlags(register, 'tenant', 'data', 'json', 'dryRun').action(async (flags: RegisterFlags) => {
    const { pkiRegister } = await import('./register.ts');
    pkiRegister(flags);
  });

  const enrol = pki
    .command('enrol')
    .description('certify the keys of a device that asked with `hes edge enrol`, and register it')
    .argument('[request]', 'what the device wrote; - reads standard input')
    .option('--csv <file>', 'a list of requests: a column request (a file) and, as needed, device')
    .option(
      '--device <id>',
      'give it this id, of a device whose keys were lost (default: a fresh random one)',
    )
    .option('--out <path>', 'where the answer goes (default: standard output); with --csv a folder');
  secretFlags(enrol, '', CAS);
  commonFlags(enrol, 'data', 'json', 'dryRun').action(
    async (request: string | undefined, flags: PkiEnrolFlags) => {
      const { pkiEnrol } = await import('./enrol.ts');
      await pkiEnrol(request, flags);
    },
  );
}

function addChanges(pki: Command): void {
  const renew = pki
    .command('renew')
    .description('new keys for a server, a person or a system; the old ones stay good until their end')
    .argument('[serial]', "of a server's certificate")
    .option('--identity <file>', 'of a person or system: replaced in its place')
    .option('--out <folder>', 'of a server: where the new files go');
  secretFlags(renew, '', CAS);
  secretFlags(renew, 'new-', 'what is made');
  commonFlags(renew, 'data', 'json', 'dryRun').action(
    async (serial: string | undefined, flags: RenewFlags) => {
      const { pkiRenew } = await import('./renew.ts');
      await pkiRenew(serial, flags);
    },
  );

  const revoke = pki
    .command('revoke')
    .description('take back a certificate, or everything of a device or a person, and publish the list')
    .argument('<what>', 'a serial number, the id of a device, or the name of a person or system')
    .addOption(hinted('--reason <reason>', 'why; it goes onto the list', REASON_WORDS).makeOptionMandatory())
    .option(
      '--invalid-since <date>',
      'since when the key may have been in other hands: a day, or a moment with its zone',
    );
  secretFlags(revoke, '', CAS);
  commonFlags(revoke, 'tenant', 'data', 'json', 'dryRun').action(async (what: string, flags: RevokeFlags) => {
    const { pkiRevoke } = await import('./revoke.ts');
    await pkiRevoke(what, flags);
  });

  const crl = pki.command('crl').description('sign revocation lists of today, as has to be done each week');
  secretFlags(crl, '', CAS);
  commonFlags(crl, 'tenant', 'data', 'json').action(async (flags: PkiFlags) => {
    const { pkiCrl } = await import('./revoke.ts');
    await pkiCrl(flags);
  });
}

function addTicketKeys(pki: Command): void {
  const keys = pki
    .command('ticket-keys')
    .description('new keys of TLS session tickets, for the fronts that share the file')
    .argument('<file>', 'as tls.ticketKeys of the fronts names it');
  commonFlags(keys, 'json', 'dryRun').action(async (file: string, flags: PkiFlags) => {
    const { pkiTicketKeys } = await import('./ticket-keys.ts');
    pkiTicketKeys(file, flags);
  });
}

function addLooks(pki: Command): void {
  const list = pki
    .command('list')
    .description('certificates that were issued')
    .addOption(hinted('--state <state>', 'in this state', STATE_WORDS))
    .option('--profile <name>', 'as deviceTls or personSign')
    .option('--device <id>', 'of one device')
    .option('--limit <n>', 'how many at most (default 1000)', wholeNumber(1, ROWS_MAX));
  commonFlags(list, 'tenant', 'data', 'json').action(async (flags: ListFlags) => {
    const { pkiList } = await import('./list.ts');
    pkiList(flags);
  });

  const show = pki
    .command('show')
    .description('one certificate that was issued')
    .argument('<serial>', 'as list prints it, or with colons')
    .option('--pem', 'the certificate itself');
  commonFlags(show, 'tenant', 'data', 'json').action(
    async (serial: string, flags: PkiFlags & { readonly pem?: boolean }) => {
      const { pkiShow } = await import('./list.ts');
      pkiShow(serial, flags);
    },
  );

  const expiring = pki
    .command('expiring')
    .description('certificates, CAs and revocation lists that end soon; exit 1 where somebody has to act')
    .option('--days <n>', 'within so many days (default 90)', wholeNumber(0, DAYS_MAX))
    .option(
      '--fail <n>',
      'exit 1 where less than so many days are left (default 7)',
      wholeNumber(0, DAYS_MAX),
    );
  commonFlags(expiring, 'tenant', 'data', 'json').action(async (flags: ExpiringFlags) => {
    const { pkiExpiring } = await import('./expiring.ts');
    pkiExpiring(flags);
  });

  const verify = pki
    .command('verify')
    .description('say what a certificate is, who issued it, and why it would be refused (then exit 1)')
    .argument('<file>', 'PEM or DER');
  commonFlags(verify, 'data', 'json').action(async (file: string, flags: PkiFlags) => {
    const { pkiVerify } = await import('./verify.ts');
    pkiVerify(file, flags);
  });
}
