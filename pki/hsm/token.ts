import type { TokenSigner } from '../x509/signature.ts';
import type { TokenRequest } from './operations.ts';
import { TokenPool } from './pool.ts';
import type { TokenKey } from './reference.ts';
import type { TokenPlace } from './session.ts';
import { TokenThread } from './thread.ts';

/**
 * The tokens that this process uses: one set of sessions for each, however many keys of it are loaded, and nothing at
 * all before the first.
 */
const POOLS = new Map<string, TokenPool>();
const THREADS = new Map<string, TokenThread>();

/** A CA signs within the transaction of its register, so it waits. Nobody waits longer than this. */
const SIGN_WITHIN_MS = 5_000;

function kept<Kept>(all: Map<string, Kept>, place: TokenPlace, make: (place: TokenPlace) => Kept): Kept {
  const name = JSON.stringify([place.module, place.token, place.pinFile]);
  const kept = all.get(name) ?? make(place);
  all.set(name, kept);
  return kept;
}

/** The ECDH of a key in a token, by threads. The point must be on the curve. @throws ERR_HSM_* */
export function tokenAgreement({ place, key }: TokenKey): (point: Uint8Array) => Promise<Uint8Array> {
  const pool = kept(POOLS, place, (where) => new TokenPool(where));
  return (point) => pool.ask({ op: 'agree', key, point });
}

/** One that dies is replaced by whoever asks next. */
function newThread(place: TokenPlace): TokenThread {
  const thread = new TokenThread(place);
  const forget = (): void => {
    for (const [name, kept] of THREADS) if (kept === thread) THREADS.delete(name);
  };
  thread.worker.on('error', forget);
  thread.worker.on('exit', forget);
  return thread;
}

/** Ask and wait. @throws ERR_HSM_* */
export function askToken(place: TokenPlace, request: TokenRequest): Uint8Array<ArrayBuffer> {
  return kept(THREADS, place, newThread).askNow(request, SIGN_WITHIN_MS);
}

export const tokenSigner = ({ place, key }: TokenKey): TokenSigner => ({
  signDigest: (digest) => askToken(place, { op: 'sign', key, digest }),
});

/** Let every token go. */
export async function closeTokens(): Promise<void> {
  const open = [
    ...[...POOLS.values()].map((pool) => pool.close()),
    ...[...THREADS.values()].map((one) => one.end()),
  ];
  POOLS.clear();
  THREADS.clear();
  await Promise.all(open);
}
