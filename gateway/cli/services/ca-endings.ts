import type { X509Certificate } from 'node:crypto';
import type { Authority, ExpiryCounts } from '../../../pki/ca/authority.ts';
import { type Ending, endOfCertificate } from '../../../pki/verify/endings.ts';
import type { Log } from '../../runtime/log.ts';

/** What ends by itself at an issuing CA: its own certificates and lists, and what it issued and nobody renewed. */

const DAY_MS = 86_400_000;

export function endingsOfCa(of: {
  readonly field: Authority;
  readonly office: Authority;
  /** Field and office, PEM or DER. */
  readonly roots: { readonly field: Uint8Array; readonly office?: string | undefined };
  /** The certificate that EST shows, PEM. */
  readonly server: string;
  readonly manufacturers: readonly X509Certificate[];
}): readonly Ending[] {
  const { field, office, roots, server, manufacturers } = of;
  const certificate = (what: string, notAfterMs: number): Ending => ({
    kind: 'certificate',
    what,
    notAfterMs,
  });
  const authority = ({ issuer, keyId, register, tenant }: Authority, prefix: string): readonly Ending[] => {
    const listEndsMs = register.crl(keyId)?.nextUpdateMs;
    return [
      certificate(`${prefix}issuing.${tenant}`, issuer.certificate.notAfterMs),
      ...(listEndsMs === undefined
        ? []
        : [{ kind: 'list', what: `${prefix}${tenant}`, notAfterMs: listEndsMs } as const]),
    ];
  };
  return [
    certificate('server', endOfCertificate(server)),
    certificate('root', endOfCertificate(roots.field)),
    ...(roots.office === undefined ? [] : [certificate('office.root', endOfCertificate(roots.office))]),
    ...authority(field, ''),
    ...authority(office, 'office.'),
    ...manufacturers.map((each, at) => certificate(`manufacturer.${at + 1}`, each.validToDate.getTime())),
  ];
}

/**
 * Tells once a day of certificates in use that have a week left or are over: a device renews at two thirds of its
 * life, so each of these has tried for long and failed, or is gone. Which they are, `hes pki expiring` says.
 */
export function createLaggards(log: Log): (counts: ExpiryCounts, nowMs: number) => void {
  let saidAtMs = Number.NEGATIVE_INFINITY;
  return ({ over, within7 }, nowMs) => {
    if (over + within7 === 0 || nowMs - saidAtMs < DAY_MS) return;
    saidAtMs = nowMs;
    log.warn({ over, within7 }, 'certificates were not renewed in time: hes pki expiring says which');
  };
}
