import type { TLSSocket } from 'node:tls';
import { isHesError } from '../../protocol/errors.ts';
import type { Refusal } from './reasons.ts';

/** OpenSSL's and Node's names for what ends a handshake. */
const BY_CODE: Readonly<Record<string, Refusal>> = {
  ERR_TLS_HANDSHAKE_TIMEOUT: 'handshake-timeout',
  ERR_SSL_HTTP_REQUEST: 'plaintext',
  ERR_SSL_HTTPS_PROXY_REQUEST: 'plaintext',
  ERR_SSL_WRONG_VERSION_NUMBER: 'plaintext',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'plaintext',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'tls-version',
  ERR_SSL_VERSION_TOO_LOW: 'tls-version',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'certificate-missing',
};

/** What OpenSSL says of a client certificate; everything else that it finds is `certificate-untrusted`. */
const BY_VERIFICATION: Readonly<Record<string, Refusal>> = {
  CERT_HAS_EXPIRED: 'certificate-expired',
  CERT_NOT_YET_VALID: 'certificate-early',
  INVALID_PURPOSE: 'certificate-profile',
};

const BY_TRUST: Readonly<Record<string, Refusal>> = {
  ERR_TRUST_MALFORMED: 'certificate-malformed',
  ERR_TRUST_ISSUER: 'certificate-untrusted',
  ERR_TRUST_SIGNATURE: 'certificate-untrusted',
  ERR_TRUST_SERIAL: 'certificate-untrusted',
  ERR_TRUST_PROFILE: 'certificate-profile',
  ERR_TRUST_IDENTITY: 'certificate-identity',
  ERR_TRUST_NOT_YET_VALID: 'certificate-early',
  ERR_TRUST_EXPIRED: 'certificate-expired',
  ERR_TRUST_REVOKED: 'certificate-revoked',
  ERR_TRUST_CRL_STALE: 'crl-stale',
};

/** Why a handshake failed. */
export function handshakeRefusal(error: NodeJS.ErrnoException, socket: TLSSocket): Refusal {
  // Node destroys a socket whose certificate did not verify and reports that as a reset.
  const verification: unknown = socket.authorizationError;
  if (typeof verification === 'string') return BY_VERIFICATION[verification] ?? 'certificate-untrusted';
  return BY_CODE[error.code ?? ''] ?? 'tls-aborted';
}

/** Why a certificate that TLS accepted is none of a device that may come in. */
export function trustRefusal(error: unknown): Refusal {
  return (isHesError(error) ? BY_TRUST[error.code] : undefined) ?? 'certificate-malformed';
}
