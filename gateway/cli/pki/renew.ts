import { issueIdentity } from '../../../pki/ca/person.ts';
import type { RegisterOwner } from '../../../pki/ca/schema.ts';
import { pkiError } from '../../../pki/errors.ts';
import { replaceFile } from '../../../pki/files/files.ts';
import { openOfficeIdentity, readOfficeIdentity } from '../../../pki/office/identity.ts';
import { parseCertificate } from '../../../pki/x509/certificate.ts';
import { derOf } from '../../../pki/x509/pem.ts';
import { usage } from '../errors.ts';
import type { PkiFlags } from './flags.ts';
import {
  issueServerKey,
  newPassphrase,
  refuseExisting,
  type ServerFiles,
  serverFiles,
  writeServer,
} from './issue.ts';
import { atHeadEnd, atTenant, eachRegister } from './opened.ts';
import { print, printJson } from './print.ts';
import { asker } from './secrets.ts';

/** `hes pki renew`: new keys and certificates for the same names. What there was stays good until its end. */

export interface RenewFlags extends PkiFlags {
  readonly identity?: string;
  readonly out?: string;
}

/** @throws ERR_USAGE, ERR_PKI_*, ERR_CA_* */
export async function pkiRenew(serial: string | undefined, flags: RenewFlags): Promise<void> {
  const { identity, out } = flags;
  if ((serial === undefined) === (identity === undefined))
    throw usage('say what is renewed: the SERIAL of a server’s certificate, or --identity FILE');
  if (identity !== undefined) await renewIdentity(identity, flags);
  else if (serial !== undefined) await renewServer(serial, out, flags);
}

async function renewIdentity(file: string, flags: RenewFlags): Promise<void> {
  const old = readOfficeIdentity(file);
  const { tenant, role, person, desk } = old;
  const certificate = (which: 'sign' | 'tls') => derOf('CERTIFICATE', old[which].certificate);
  if (flags.dryRun === true) {
    const ends = new Date(parseCertificate(certificate('sign')).notAfterMs).toISOString();
    print(`${person}, ${role} of ${tenant}, would get new keys in ${file}; those in it end ${ends}.`);
    return;
  }
  const passphrase = await newPassphrase(flags, `the identity of ${person}`);
  const replaces = { sign: certificate('sign'), tls: certificate('tls') };
  const fresh = await atTenant({ ...flags, tenant }, tenant, ({ office, pki }) => {
    // Those of development were made before there was a register.
    for (const der of Object.values(replaces)) office.adopt(der, asker());
    const { development } = pki;
    const root = pki.office?.root ?? '';
    return issueIdentity(office, {
      name: { role, person },
      root,
      passphrase,
      by: asker(),
      development,
      desk,
      replaces,
    });
  });
  // Opened before it takes the place of one that works.
  openOfficeIdentity(fresh, passphrase);
  replaceFile(file, `${JSON.stringify(fresh, null, 2)}\n`);
  const notAfter = new Date(parseCertificate(derOf('CERTIFICATE', fresh.sign.certificate)).notAfterMs);
  if (flags.json === true) printJson({ tenant, role, person, identity: file, notAfter });
  else print(`${file} has new keys, until ${notAfter.toISOString()}.`);
}

async function renewServer(serial: string, out: string | undefined, flags: RenewFlags): Promise<void> {
  let found:
    | { readonly profile: string; readonly der: Uint8Array; readonly owner: RegisterOwner }
    | undefined;
  eachRegister(flags, ({ owner, certificates }) => {
    const record = certificates.bySerial(serial);
    if (record !== undefined) found ??= { profile: record.profile, der: record.der, owner };
  });
  if (found === undefined)
    throw pkiError('ERR_CA_CERTIFICATE', `no register holds a certificate with the serial ${serial}`);
  const { profile, der, owner } = found;
  if (profile !== 'deskServer' && profile !== 'frontServer')
    throw usage(
      profile.startsWith('device')
        ? 'a device renews its own keys; hes pki enrol REQUEST --device ID certifies new ones by hand'
        : `a ${profile} certificate is not renewed by its serial: people by --identity FILE`,
    );
  if (out === undefined) throw usage('--out FOLDER says where the new key and certificate go');
  refuseExisting(serverFiles(out).key);
  if (flags.dryRun === true) {
    print(`The server of ${serial} would get a new key and certificate in ${out}.`);
    return;
  }
  const passphrase = await newPassphrase(flags, 'the key of the server');
  let made: ServerFiles;
  if (owner === 'head-end')
    made = await atHeadEnd(flags, (authority) => issueServerKey(authority, profile, {}, passphrase, der));
  else {
    made = await atTenant({ ...flags, tenant: owner }, owner, ({ office }) =>
      issueServerKey(office, profile, {}, passphrase, der),
    );
  }
  writeServer(out, made);
  const files = serverFiles(out);
  if (flags.json === true) printJson({ serial: made.serial, replaces: serial, ...files });
  else
    print(`${files.certificate} and its encrypted key ${files.key} take the place of ${serial}, which goes on until its end.
Take them to the server: it shows them to whoever connects, within its poll or at once by \`systemctl reload\`, and ends no
connection. Then hes pki revoke ${serial} --reason superseded.`);
}
