import { isIP } from 'node:net';
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { type DeviceIdentity, TLS_PARAMETERS } from '../../../pki/trust.ts';
import { LruMap } from '../lru.ts';

/** Where the head-end is. `servername` is the name in its certificate, where that is not `host`. */
export interface HeadEnd {
  readonly host: string;
  readonly port: number;
  readonly servername?: string;
}

/** What TLS remembers between wakes. In memory only: whoever could read it could decrypt what was recorded. */
export interface TlsMemory {
  session: Buffer | undefined;
  /** Which certificate that session, and the last connection, is of: a resumed session speaks for no other. */
  certificate?: string;
}

/** Contexts kept in this process, at some 22 KiB each; making one again costs a quarter of a millisecond. */
const TLS_CONTEXTS_MAX = 512;

const contexts = new LruMap<string, SecureContext>(TLS_CONTEXTS_MAX);

/** Parsing key, certificate and root costs a quarter of a handshake, so contexts are kept, up to a bound. */
function contextOf({ tls, root }: DeviceIdentity): SecureContext {
  return contexts.take(tls.certificate, () =>
    createSecureContext({
      key: tls.key,
      cert: tls.certificate,
      ca: root,
      ...TLS_PARAMETERS,
    }),
  );
}

/** A socket on its way to the head-end, with the session of the last wake where there is one. */
export function startTls(headEnd: HeadEnd, identity: DeviceIdentity, memory: TlsMemory): TLSSocket {
  const { certificate } = identity.tls;
  if (memory.certificate !== certificate) memory.session = undefined;
  memory.certificate = certificate;
  const { host, port, servername = isIP(host) === 0 ? host : undefined } = headEnd;
  const socket = connect({
    host,
    port,
    secureContext: contextOf(identity),
    ...(servername === undefined ? {} : { servername }),
    ...(memory.session === undefined ? {} : { session: memory.session }),
  });
  socket.setNoDelay(true);
  // RFC 8446 §C.4: a ticket is used once; the newest one of this connection serves the next.
  socket.on('session', (session: Buffer) => {
    if (memory.certificate === certificate) memory.session = session;
  });
  return socket;
}
