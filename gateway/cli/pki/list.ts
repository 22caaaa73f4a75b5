import { CERTIFICATE_STATES, type CertificateState } from '../../../pki/ca/certificates.ts';
import { pkiError } from '../../../pki/errors.ts';
import { toPem } from '../../../pki/x509/pem.ts';
import { PROFILES, type ProfileName } from '../../../pki/x509/profiles.ts';
import { isDeviceId } from '../../../protocol/identity.ts';
import { usage } from '../errors.ts';
import type { PkiFlags } from './flags.ts';
import { eachRegister, type RecordView, recordView } from './opened.ts';
import { columns, day, print, printJson } from './print.ts';

/** Looking at what was issued. The registers are enough: no key is opened. */

const PAGE = 1_000;

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
