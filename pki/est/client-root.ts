import { createHash } from 'node:crypto';
import { pkiError } from '../errors.ts';
import { toPem } from '../x509/pem.ts';
import { type EstClientOptions, estClient } from './client.ts';

/**
 * RFC 7030 §4.1.1: the field root of which a device was told nothing but its fingerprint. Nobody is believed for it,
 * and nothing is said but the question: whatever comes is the root, or is not.
 *
 * @param fingerprint hex SHA-256 of its DER
 * @returns PEM
 * @throws ERR_ENROL_ROOT, ERR_EST_*
 */
export async function fetchRoot(
  options: Omit<EstClientOptions, 'root'>,
  fingerprint: string,
): Promise<string> {
  const client = estClient({ ...options, root: null });
  try {
    const { certificates } = await client.cacerts();
    const root = certificates.find((der) => createHash('sha256').update(der).digest('hex') === fingerprint);
    if (root === undefined)
      throw pkiError(
        'ERR_ENROL_ROOT',
        'the EST server does not show the field root of this fingerprint: it is another operator’s, or somebody is in between',
      );
    return toPem('CERTIFICATE', root);
  } finally {
    client.close();
  }
}
