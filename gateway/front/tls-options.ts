import type { TlsOptions } from 'node:tls';
import { TLS_PARAMETERS } from '../../pki/trust.ts';
import type { FrontLimits } from './limits.ts';

/** RFC 5077: sessions of one service resume on each of its fronts that shares the ticket keys. */
const SESSION_CONTEXT = 'hes-front';

export interface TlsFiles {
  readonly serverKey: { readonly cert: string; readonly key: string };
  /** The field root and the issuing CAs, which client certificates are verified against. */
  readonly authorities: readonly string[];
  readonly ticketKeys: Buffer;
}

export function tlsOptions(files: TlsFiles, limits: FrontLimits): TlsOptions {
  return {
    ...files.serverKey,
    ca: [...files.authorities],
    ticketKeys: files.ticketKeys,
    requestCert: true,
    rejectUnauthorized: true,
    ...TLS_PARAMETERS,
    honorCipherOrder: true,
    sessionIdContext: SESSION_CONTEXT,
    sessionTimeout: limits.resumptionSeconds,
    handshakeTimeout: limits.handshakeTimeoutMs,
  };
}
