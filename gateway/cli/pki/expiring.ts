import { existsSync } from 'node:fs';
import { WARN_DAYS } from '../../../pki/ca/authority.ts';
import { readManifest } from '../../../pki/ca/open.ts';
import { readText } from '../../../pki/files/files.ts';
import { pkiLayout } from '../../../pki/files/layout.ts';
import { parseCertificate } from '../../../pki/x509/certificate.ts';
import { parseCrl } from '../../../pki/x509/crl.ts';
import { readPem } from '../../../pki/x509/pem.ts';
import { EXIT } from '../exit.ts';
import type { PkiFlags } from './flags.ts';
import { eachRegister, pkiDirectory, tenantsOf } from './opened.ts';
import { columns, day, print, printJson } from './print.ts';

/** `hes pki expiring`: what ends soon, of what was issued and of the CAs themselves. No key is opened. */

const DAY_MS = 86_400_000;
/** Rows of one register that are shown: more than that is one cause, and the first of them say which. */
const ROWS_MAX = 1_000;
/** A list of seven days has always less than eight; one day is what its publisher must not come below. */
const LIST_FAIL_DAYS = 1;

export interface ExpiringFlags extends PkiFlags {
  readonly days?: number;
  readonly fail?: number;
}

interface Ending {
  readonly what: string;
  readonly subject: string;
  readonly notAfter: string;
  readonly days: number;
  readonly within: (typeof WARN_DAYS)[number] | 'over' | null;
}

/**
 * Certificates in use, CAs and revocation lists that end soon. Ends with 1 where something is over or has less than
 * `--fail` days left (a list: less than one), so that a timer can call it. @throws ERR_PKI_*, ERR_CA_REGISTER
 */
export function pkiExpiring(flags: ExpiringFlags): void {
  const { fail = WARN_DAYS[0] } = flags;
  const days = Math.max(flags.days ?? 90, fail);
  const nowMs = Date.now();
  const beforeMs = nowMs + days * DAY_MS;
  const ends: Ending[] = [];
  const add = (what: string, subject: string, notAfterMs: number) => {
    if (notAfterMs >= beforeMs) return;
    const left = Math.floor((notAfterMs - nowMs) / DAY_MS);
    const within = left < 0 ? 'over' : (WARN_DAYS.find((limit) => left < limit) ?? null);
    ends.push({ what, subject, notAfter: new Date(notAfterMs).toISOString(), days: left, within });
  };
  for (const file of authorityFiles(flags)) {
    // After a CA's own there is the one before it, or the one above it.
    const [own] = readPem('CERTIFICATE', readText(file));
    const { commonName, notAfterMs } = parseCertificate(own!);
    add('CA', commonName ?? file, notAfterMs);
  }
  for (const { file, of } of serverFiles(flags)) {
    const [own] = readPem('CERTIFICATE', readText(file));
    add('server', of, parseCertificate(own!).notAfterMs);
  }
  for (const { file, of } of listFiles(flags))
    for (const der of readPem('X509 CRL', readText(file)))
      add('revocation list', of, parseCrl(der).nextUpdateMs);
  let more = false;
  eachRegister(flags, ({ certificates }) => {
    const page = certificates.expiring(beforeMs, ROWS_MAX);
    more ||= page.length === ROWS_MAX;
    for (const { profile, subject, notAfterMs } of page) add(profile, subject, notAfterMs);
  });
  ends.sort((a, b) => a.days - b.days);
  if (flags.json === true) printJson({ expiring: ends, more });
  else
    print(
      ends.length === 0
        ? `Nothing ends within ${days} days.`
        : columns([
            ['DAYS', 'ENDS', 'WHAT', 'SUBJECT'],
            ...ends.map((row) => [String(row.days), day(row.notAfter), row.what, row.subject]),
          ]),
    );
  const pressing = ends.some(
    ({ what, days: left }) => left < (what === 'revocation list' ? LIST_FAIL_DAYS : fail),
  );
  if (pressing) process.exitCode = EXIT.incomplete;
}

function authorityFiles(flags: PkiFlags): readonly string[] {
  const layout = pkiLayout(pkiDirectory(flags));
  readManifest(layout.directory);
  return [
    layout.root.certificate,
    layout.office.root.certificate,
    layout.headEnd.certificate,
    ...tenantsOf(flags).flatMap((tenant) => [
      layout.issuing(tenant).certificate,
      layout.office.issuing(tenant).certificate,
    ]),
  ].filter((file) => existsSync(file));
}

/** Of a development PKI, whose servers stand in no register; those of production do, and have moved to their machines. */
function serverFiles(flags: PkiFlags): readonly { readonly file: string; readonly of: string }[] {
  const layout = pkiLayout(pkiDirectory(flags));
  if (!readManifest(layout.directory).development) return [];
  return [
    { file: layout.front.certificate, of: 'front' },
    ...tenantsOf(flags).map((tenant) => ({
      file: layout.office.desk(tenant).certificate,
      of: `desk of ${tenant}`,
    })),
  ].filter(({ file }) => existsSync(file));
}

function listFiles(flags: PkiFlags): readonly { readonly file: string; readonly of: string }[] {
  const layout = pkiLayout(pkiDirectory(flags));
  return tenantsOf(flags)
    .flatMap((tenant) => [
      { file: layout.crl(tenant), of: `${tenant}, field` },
      { file: layout.office.crl(tenant), of: `${tenant}, office` },
    ])
    .filter(({ file }) => existsSync(file));
}
