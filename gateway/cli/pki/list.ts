import { existsSync } from 'node:fs';
import { WARN_DAYS } from '../../../pki/ca/authority.ts';
import { CERTIFICATE_STATES, type CertificateState } from '../../../pki/ca/certificates.ts';
import { readManifest } from '../../../pki/ca/open.ts';
import { parseCertificate } from '../../../pki/certificate.ts';
import { parseCrl } from '../../../pki/crl.ts';
import { pkiError } from '../../../pki/errors.ts';
import { readText } from '../../../pki/files.ts';
import { pkiLayout } from '../../../pki/layout.ts';
import { derOf, toPem } from '../../../pki/pem.ts';
import { PROFILES, type ProfileName } from '../../../pki/profiles.ts';
import { isDeviceId } from '../../../protocol/identity.ts';
import { usage } from '../errors.ts';
import { EXIT } from '../exit.ts';
import type { PkiFlags } from './flags.ts';
import { eachRegister, pkiDirectory, type RecordView, recordView, tenantsOf } from './opened.ts';
import { columns, day, print, printJson } from './print.ts';

/** Looking at what was issued. The registers are enough: no key is opened. */

const PAGE = 1_000;
const DAY_MS = 86_400_000;

export interface ListFlags extends PkiFlags {
  readonly state?: string;
  readonly profile?: string;
  readonly device?: string;
  readonly limit?: number;
}

/** `hes pki list` @throws ERR_USAGE, ERR_PKI_*, ERR_CA_REGISTER */
export function pkiList(flags: ListFlags): void {
  const { state, profile, device, limit = 1_000 } = flags;
  if (state !== undefined && !CERTIFICATE_STATES.includes(state as CertificateState))
    throw usage(`--state takes ${CERTIFICATE_STATES.join(', ')}`);
  if (profile !== undefined && !Object.hasOwn(PROFILES, profile))
    throw usage(`--profile takes one of ${Object.keys(PROFILES).join(', ')}`);
  if (device !== undefined && !isDeviceId(device)) throw usage('--device takes 16 lower-case hex digits');
  const filter = {
    ...(state === undefined ? {} : { state: state as CertificateState }),
    ...(profile === undefined ? {} : { profile: profile as ProfileName }),
    ...(device === undefined ? {} : { device }),
  };
  const found: RecordView[] = [];
  eachRegister(flags, (register) => {
    for (let after = 0; found.length < limit; ) {
      const page = register.certificates.list({
        filter,
        after,
        limit: Math.min(PAGE, limit - found.length),
      });
      found.push(...page.map((record) => recordView(register.owner, record)));
      if (page.length === 0) return;
      after = page.at(-1)!.seq;
    }
  });
  if (flags.json === true) printJson({ certificates: found, more: found.length === limit });
  else
    print(
      found.length === 0
        ? 'The registers hold no such certificate.'
        : columns([
            ['SERIAL', 'OWNER', 'PROFILE', 'SUBJECT', 'STATE', 'ENDS'],
            ...found.map((row) => [
              row.serial,
              row.owner,
              row.profile,
              row.subject,
              row.state,
              day(row.notAfter),
            ]),
          ]),
    );
}

/** `hes pki show SERIAL` @throws ERR_CA_CERTIFICATE, ERR_CA_REGISTER, ERR_PKI_ABSENT */
export function pkiShow(text: string, flags: PkiFlags & { readonly pem?: boolean }): void {
  const serial = text.toLowerCase().replaceAll(':', '').replace(/^0+/, '');
  let found: (RecordView & { readonly pem: string }) | undefined;
  eachRegister(flags, (register) => {
    const record = register.certificates.bySerial(serial);
    if (record !== undefined)
      found ??= { ...recordView(register.owner, record), pem: toPem('CERTIFICATE', record.der) };
  });
  if (found === undefined)
    throw pkiError('ERR_CA_CERTIFICATE', `no register holds a certificate with the serial ${serial}`);
  if (flags.json === true) printJson(found);
  else if (flags.pem === true) process.stdout.write(found.pem);
  else {
    const { pem: _, ...rest } = found;
    print(columns(Object.entries(rest).map(([name, value]) => [name, value === null ? '-' : String(value)])));
  }
}

interface Ending {
  readonly what: string;
  readonly subject: string;
  readonly notAfter: string;
  readonly days: number;
  readonly within: (typeof WARN_DAYS)[number] | 'over' | null;
}

/**
 * `hes pki expiring`: certificates in use, CAs and revocation lists that end soon. Ends with 1 where something is over
 * or has a week left, so that a timer can call it. @throws ERR_PKI_*, ERR_CA_REGISTER
 */
export function pkiExpiring(flags: PkiFlags & { readonly days?: number }): void {
  const { days = 90 } = flags;
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
    const { commonName, notAfterMs } = parseCertificate(derOf('CERTIFICATE', readText(file)));
    add('CA', commonName ?? file, notAfterMs);
  }
  for (const { file, of } of listFiles(flags))
    add('revocation list', of, parseCrl(derOf('X509 CRL', readText(file))).nextUpdateMs);
  let more = false;
  eachRegister(flags, ({ certificates }) => {
    const page = certificates.expiring(beforeMs, PAGE);
    more ||= page.length === PAGE;
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
  // A list of seven days has always less than eight; one day is what its publisher must not come below.
  const pressing = ends.some(
    ({ what, days: left }) => left < (what === 'revocation list' ? 1 : WARN_DAYS[0]),
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

function listFiles(flags: PkiFlags): readonly { readonly file: string; readonly of: string }[] {
  const layout = pkiLayout(pkiDirectory(flags));
  return tenantsOf(flags)
    .flatMap((tenant) => [
      { file: layout.crl(tenant), of: `${tenant}, field` },
      { file: layout.office.crl(tenant), of: `${tenant}, office` },
    ])
    .filter(({ file }) => existsSync(file));
}
