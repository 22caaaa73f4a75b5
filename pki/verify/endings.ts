import { X509Certificate } from 'node:crypto';
import type { Anchors } from './anchors.ts';
import type { RevocationList } from './revocations.ts';

/** Something that is believed until a moment: what a service warns of before it comes (docs/adr/0188). */
export interface Ending {
  readonly kind: 'certificate' | 'list';
  /** What it is, as a name of metrics: `issuing.ores`. Never a device, a person or a serial number. */
  readonly what: string;
  readonly notAfterMs: number;
}

/** Of a certificate file: its first one. @throws TypeError where there is none */
export function endOfCertificate(pem: string | Uint8Array): number {
  return new X509Certificate(pem).validToDate.getTime();
}

/**
 * Of the CAs that are pinned, and of their lists. Where a tenant has several while one is rolled over, the first to
 * end counts: devices below it may be left.
 * @param prefix of the office: `office.`
 */
export function endingsOf(anchors: Anchors, revocations: RevocationList, prefix = ''): readonly Ending[] {
  const certificate = (what: string, notAfterMs: number): Ending => ({
    kind: 'certificate',
    what: `${prefix}${what}`,
    notAfterMs,
  });
  return [
    certificate('root', anchors.root.notAfterMs),
    ...[...anchors.authorities.values()].flatMap((authority) => {
      const { tenant, keyId } = authority;
      const listEndsMs = revocations.nextUpdateMs(keyId);
      return [
        certificate(`issuing.${tenant}`, authority.certificate.notAfterMs),
        ...(listEndsMs === undefined
          ? []
          : [{ kind: 'list', what: `${prefix}${tenant}`, notAfterMs: listEndsMs } as const]),
      ];
    }),
  ];
}
