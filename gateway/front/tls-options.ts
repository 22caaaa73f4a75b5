import type { TlsOptions } from 'node:tls';
import type { FrontLimits } from './limits.ts';

/**
 * RFC 8446 and, for meters with an older stack, TLS 1.2 with forward secrecy and an AEAD. Everything of ours is
 * P-256; AES-128 comes first because it is what the devices' hardware has.
 */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
].join(':');

/** X25519 costs the server the least; Node's default (with ML-KEM) 40 % more per resumed handshake. */
const GROUPS = 'X25519:P-256';

/** RFC 5077: sessions of one service resume on each of its fronts that shares the ticket keys. */
const SESSION_CONTEXT = 'hes-front';

export interface TlsFiles {
  readonly key: string;
  readonly certificate: string;
  /** The field root and the issuing CAs, which client certificates are verified against. */
  readonly authorities: readonly string[];
  readonly ticketKeys: Buffer;
}

export function tlsOptions(files: TlsFiles, limits: FrontLimits): TlsOptions {
  return {
    key: files.key,
    cert: files.certificate,
    ca: [...files.authorities],
    ticketKeys: files.ticketKeys,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ciphers: CIPHERS,
    honorCipherOrder: true,
    ecdhCurve: GROUPS,
    sessionIdContext: SESSION_CONTEXT,
    sessionTimeout: limits.resumptionSeconds,
    handshakeTimeout: limits.handshakeTimeoutMs,
  };
}
