import { estClient } from '../../../pki/device.ts';
import type { DeviceIdentity } from '../../../pki/identity.ts';

/** The CA of a device's home, as a renewal sees it. */
export interface RenewalServer {
  /** By the TLS certificate in use, whichever key is renewed. */
  connect(identity: DeviceIdentity, signal?: AbortSignal): RenewalSession;
}

/** @throws each ERR_EST_UNREACHABLE, ERR_EST_REFUSED, ERR_EST_LATER, ERR_EST_ANSWER */
export interface RenewalSession {
  /** What the server calls its CAs (DER each, unverified), and its clock. */
  authorities(): Promise<{ readonly certificates: readonly Uint8Array[]; readonly serverMs: number | null }>;
  /** @returns the certificate (DER, unverified) */
  reenroll(name: 'tls' | 'sign' | 'agree', request: Uint8Array): Promise<Uint8Array>;
  close(): void;
}

export interface RenewalAddress {
  /** `https://host[:port]` */
  readonly url: string;
  /** The name in its certificate, where that is not the host. */
  readonly servername?: string | undefined;
}

/** RFC 7030 simplereenroll. */
export function estRenewalServer({ url, servername }: RenewalAddress): RenewalServer {
  return {
    connect({ root, tls }, signal) {
      const client = estClient({ url, servername, root, signal });
      return {
        authorities: () => client.cacerts(tls),
        reenroll: (name, request) => client.simplereenroll(name, request, tls),
        close: () => client.close(),
      };
    },
  };
}
