import { connect } from 'node:net';
import type { Link, LinkCalls, LinkTrouble, OpenLink } from './link.ts';
import type { PortState } from './source.ts';

export interface TcpLinkOptions {
  /** ser2net in raw mode, or a P1 bridge: whoever connects gets the bytes of the port. */
  readonly host: string;
  readonly port: number;
}

/** A bridge that lost its power says nothing: the system asks after so long, and ends what does not answer. */
const KEEP_ALIVE_MS = 15_000;

export function tcpLink({ host, port }: TcpLinkOptions): Link {
  return { modes: [null], isPort: true, open: (_, calls) => openTcp(host, port, calls) };
}

function openTcp(
  host: string,
  port: number,
  { data, timeoutMs, signal }: LinkCalls,
): Promise<OpenLink | LinkTrouble> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
    let trouble: LinkTrouble = { state: 'hung-up', code: 'END' };
    const timer = setTimeout(() => {
      trouble = { state: 'unreachable', code: 'ETIMEDOUT' };
      socket.destroy();
    }, timeoutMs);
    const stop = (): void => void socket.destroy();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    socket.on('error', (error: NodeJS.ErrnoException) => {
      trouble = troubleOf(error);
    });
    const closed = new Promise<LinkTrouble>((settle) => {
      socket.on('close', () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        resolve(trouble);
        settle(trouble);
      });
    });
    // A bridge that half-closes has nothing more to say.
    socket.on('end', () => socket.destroy());
    socket.on('data', data);
    socket.on('connect', () => {
      clearTimeout(timer);
      resolve({ closed, close: () => socket.destroy() });
    });
  });
}

const TROUBLES: Readonly<Record<string, PortState>> = {
  ECONNREFUSED: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ETIMEDOUT: 'unreachable',
  ENOTFOUND: 'unreachable',
  EAI_AGAIN: 'unreachable',
  ECONNRESET: 'hung-up',
  EPIPE: 'hung-up',
};

/** Of several addresses that were tried (happy eyeballs), the first tells as much as all. */
function troubleOf(error: NodeJS.ErrnoException): LinkTrouble {
  const first = error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException) : error;
  const code = first.code ?? 'unknown';
  return { state: TROUBLES[code] ?? 'failed', code };
}
