import { writeNew } from '../../../pki/files/files.ts';
import { encryptKey } from '../../../pki/keys/encrypted-key.ts';
import { exportPkcs12 } from '../../../pki/keys/pkcs12.ts';
import { openOfficeIdentity, readOfficeIdentity } from '../../../pki/office/identity.ts';
import { usage } from '../errors.ts';
import type { PkiFlags } from './flags.ts';
import { newPassphrase, refuseExisting } from './issue.ts';
import { print, printJson } from './print.ts';
import { secretOf } from './secrets.ts';

/** `hes pki export IDENTITY`: a person's or system's key and chain for software that knows no identity files. */

/** What takes it, and what to do there. */
export const EXPORT_FOR = {
  browser:
    'Import it under "Your certificates", and the office root (pki/office/root.crt) under "Authorities".',
  java: 'Java takes it as a key store as it is (keytool -list -keystore FILE). The office root goes into a trust store: keytool -importcert -alias hes-office -file pki/office/root.crt -keystore trust.p12',
  sap: 'Import it in STRUST as an SSL client PSE (sapgenpse import_p12), and the office root as a trusted certificate.',
  pem: 'An encrypted PKCS#8 key and its chain, for curl, OpenSSL and what is built on it.',
} as const;
export type ExportFor = keyof typeof EXPORT_FOR;

export interface ExportFlags extends PkiFlags {
  readonly for?: string;
  readonly key?: string;
  readonly out: string;
}

const isExportFor = (text: string): text is ExportFor => Object.hasOwn(EXPORT_FOR, text);

/** @throws ERR_USAGE, ERR_PKI_PASSPHRASE, ERR_PKI_WEAK, ERR_PKI_OFFICE, ERR_PKI_PKCS12, ERR_PKI_EXISTS */
export async function pkiExport(file: string, flags: ExportFlags): Promise<void> {
  const { for: target = 'browser', key: which = 'tls', out, passphraseFile, passphraseFd } = flags;
  if (!isExportFor(target)) throw usage(`--for takes ${Object.keys(EXPORT_FOR).join(', ')}`);
  if (which !== 'tls' && which !== 'sign') throw usage('--key takes tls or sign');
  refuseExisting(out);
  const identity = readOfficeIdentity(file);
  const passphrase = await secretOf({
    file: passphraseFile,
    fd: passphraseFd,
    what: file,
    flag: '--passphrase',
  });
  const opened = openOfficeIdentity(identity, passphrase);
  const password = await newPassphrase(flags, out);
  const { tenant, role, person, root } = opened;
  const key =
    which === 'tls'
      ? opened.tls.key
      : opened.signer.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const [, issuing = ''] = identity.tls.certificate.split(/(?<=-----END CERTIFICATE-----\n)/);
  const leaf = which === 'tls' ? identity.tls.certificate : identity.sign.certificate + issuing;
  const chain = leaf + root;
  if (target === 'pem') writeNew(out, encryptKey(key, password) + chain);
  else {
    const friendlyName = `${person} (${role}, ${tenant})`;
    const bytes = exportPkcs12({ key, chain, password, friendlyName });
    writeNew(out, bytes);
  }
  if (flags.json === true) printJson({ tenant, role, person, key: which, for: target, out });
  else print(`${out} holds the ${which} key of ${person}, ${role} of ${tenant}.\n${EXPORT_FOR[target]}`);
}
