import { pkiError } from '../errors.ts';

/** RFC 7468: the label before the base64 text. */
export type PemLabel =
  | 'CERTIFICATE'
  | 'CERTIFICATE REQUEST'
  | 'PRIVATE KEY'
  | 'ENCRYPTED PRIVATE KEY'
  | 'X509 CRL';

export function toPem(label: PemLabel, bytes: Uint8Array): string {
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
  let lines = '';
  for (let at = 0; at < base64.length; at += 64) lines += `${base64.slice(at, at + 64)}\n`;
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}

/** Every block with this label, in order. @throws ERR_TRUST_MALFORMED where there is none */
export function readPem(label: PemLabel, text: string): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  for (let at = text.indexOf(begin); at >= 0; at = text.indexOf(begin, at)) {
    const stop = text.indexOf(end, at);
    if (stop < 0) throw pkiError('ERR_TRUST_MALFORMED', `a PEM block ${label} does not end`);
    const base64 = text.slice(at + begin.length, stop);
    if (!/^[A-Za-z0-9+/=\s]+$/.test(base64))
      throw pkiError('ERR_TRUST_MALFORMED', `a PEM block ${label} is no base64`);
    blocks.push(Buffer.from(base64, 'base64'));
    at = stop + end.length;
  }
  if (blocks.length === 0) throw pkiError('ERR_TRUST_MALFORMED', `no PEM block ${label}`);
  return blocks;
}

/** DER as it stands, or the first PEM block of that label. */
export function derOf(label: PemLabel, source: string | Uint8Array): Uint8Array {
  return typeof source === 'string' ? readPem(label, source)[0]! : source;
}
