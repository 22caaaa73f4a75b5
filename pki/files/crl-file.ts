import { type CertificateRevocations, parseCrl } from '../x509/crl.ts';
import { readPem, toPem } from '../x509/pem.ts';
import { readTextIfThere, replaceFile, withFile } from './files.ts';

/**
 * A file with the revocation list of an issuing CA and, while it is rolled over, that of the other one: front, router
 * and desk go on reading one file.
 */

interface Listed {
  readonly der: Uint8Array;
  readonly list: CertificateRevocations;
}

/** Every list of a file; none where there is no file. @throws ERR_PKI_DAMAGED, ERR_PKI_RIGHTS */
export function readCrlFile(file: string): readonly Listed[] {
  const text = readTextIfThere(file);
  if (text === undefined) return [];
  return withFile(file, () => readPem('X509 CRL', text).map((der) => ({ der, list: parseCrl(der) })));
}

/** The list of one CA, by its key identifier. @throws as `readCrlFile` */
export const listOf = (file: string, keyId: string): CertificateRevocations | undefined =>
  readCrlFile(file).find(({ list }) => list.authorityKeyId === keyId)?.list;

/** Put a list in the place of the one of the same CA, whole or not at all; those of other CAs stay. @throws as above */
export function putIntoCrlFile(file: string, keyId: string, der: Uint8Array): void {
  const lists = readCrlFile(file);
  const others = lists.filter(({ list }) => list.authorityKeyId !== keyId).map((listed) => listed.der);
  const isNew = others.length === lists.length;
  // The present CA's stays the first: whoever reads one list reads that.
  const first = !isNew && lists[0]?.list.authorityKeyId === keyId;
  const all = first ? [der, ...others] : [...others, der];
  replaceFile(file, all.map((each) => toPem('X509 CRL', each)).join(''));
}

/** The lists of these CAs, in this order, and no other. @throws as `readCrlFile` */
export function keepInCrlFile(file: string, keyIds: readonly string[]): void {
  const lists = readCrlFile(file);
  const kept = keyIds.flatMap((keyId) => lists.filter(({ list }) => list.authorityKeyId === keyId));
  if (kept.length === lists.length && kept.every((listed, at) => listed === lists[at])) return;
  replaceFile(file, kept.map(({ der }) => toPem('X509 CRL', der)).join(''));
}
