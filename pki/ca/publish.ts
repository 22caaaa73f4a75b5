import { listOf, putIntoCrlFile } from '../files/crl-file.ts';
import { LOCK_WAIT_MS, withLock } from '../files/lock.ts';
import { makeCrl, type RevokedEntry } from '../x509/crl.ts';
import type { AuthorityOptions } from './authority.ts';

/**
 * A list of today, in the place where fronts, routers and desks read it. What the list in force names stays on it:
 * certificates from before there was a register are revoked there alone. Numbers rise across both.
 */
export function publishCrl(
  { register, issuer, clock, crl, keyId }: AuthorityOptions & { readonly keyId: string },
  by: string,
): Uint8Array {
  const run = (inForce: { readonly number: bigint; readonly entries: readonly RevokedEntry[] }) =>
    register.transaction(() => {
      const nowMs = clock.nowMs();
      const own = register.certificates.revoked(keyId, nowMs);
      const listed = new Set(own.map(({ serial }) => serial));
      const kept = inForce.entries.filter(({ serial }) => !listed.has(serial));
      const before = BigInt(register.crl(keyId)?.number ?? 0);
      const number = (before > inForce.number ? before : inForce.number) + 1n;
      const endMs = issuer.certificate.notAfterMs;
      const nextUpdateMs = Math.min(endMs, crl === undefined ? endMs : nowMs + crl.validityMs);
      const der = makeCrl(issuer, {
        number,
        thisUpdateMs: nowMs,
        nextUpdateMs,
        entries: [...kept, ...own],
      });
      register.setCrl(keyId, { number: Number(number), thisUpdateMs: nowMs, nextUpdateMs });
      register.audit.append({ atMs: nowMs, event: 'crl-published', by, reason: String(number) });
      return der;
    });
  if (crl === undefined) return run({ number: 0n, entries: [] });
  const { file } = crl;
  return withLock(`${file}.lock`, LOCK_WAIT_MS, () => {
    const der = run(listOf(file, keyId) ?? { number: 0n, entries: [] });
    putIntoCrlFile(file, keyId, der);
    return der;
  });
}
