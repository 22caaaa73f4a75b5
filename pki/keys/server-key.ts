import { pkiError } from '../errors.ts';
import { openX509 } from '../verify/anchors.ts';
import { readPem } from '../x509/pem.ts';
import type { ServerKey } from './keys.ts';

/**
 * Whether clients would believe a server's new certificate: what a service asks before it puts one in the place of one
 * that they believe. At its start there is nothing to keep, and an expired certificate is better than none: it is then
 * the clients who refuse.
 *
 * @param root the one that its clients know, PEM or DER
 * @throws ERR_TRUST_ISSUER, ERR_TRUST_NOT_YET_VALID, ERR_TRUST_EXPIRED
 */
export function checkServerKey(
  { cert }: Pick<ServerKey, 'cert'>,
  { root, nowMs }: { readonly root: string; readonly nowMs: number },
): void {
  // The leaf and the CA above it: that the one signed the other was seen as they were read.
  const chain = readPem('CERTIFICATE', cert).slice(0, 2).map(openX509);
  const above = chain.at(-1)!;
  if (!above.verify(openX509(readPem('CERTIFICATE', root)[0]!).publicKey))
    throw pkiError('ERR_TRUST_ISSUER', 'the certificate of this server is not of the root that clients know');
  for (const { validFromDate, validToDate } of chain) {
    if (nowMs < validFromDate.getTime())
      throw pkiError(
        'ERR_TRUST_NOT_YET_VALID',
        'the certificate of this server, or its CA, is not valid yet',
      );
    if (nowMs > validToDate.getTime())
      throw pkiError('ERR_TRUST_EXPIRED', 'the certificate of this server, or its CA, is past its end');
  }
}
