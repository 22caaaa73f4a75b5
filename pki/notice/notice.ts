import { isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { NOTICE_REVOKED_MAX } from '../../protocol/limits.ts';
import { decodeClaimedNotice, encodeNotice, type Notice, signNotice } from '../../protocol/notice.ts';
import { readSigner } from '../../protocol/signed.ts';
import type { SigningAuthority } from '../x509/certify.ts';
import { equalBytes } from '../x509/der.ts';
import { derOf } from '../x509/pem.ts';
import { signRaw } from '../x509/signature.ts';

/** An operator's notice to its devices, on the operator's side (protocol/notice.ts, docs/adr/0182). */

export interface NoticeContent {
  readonly tenant: TenantId;
  /** PEM or DER of the key that readings are sealed to from now on, which `field` certified. */
  readonly sealing: string | Uint8Array;
  readonly officeRoot: string | Uint8Array;
  /** The issuing CAs whose people may command: the present one first. */
  readonly officeIssuers: readonly (string | Uint8Array)[];
  /** Lower-case hex, the newest last: of more than a notice has room for the newest are named. */
  readonly revokedPeople: readonly string[];
}

/** @throws ERR_NOTICE_SCHEMA, ERR_NOTICE_CBOR */
export function makeNotice(field: SigningAuthority, content: NoticeContent, number: number): Uint8Array {
  return signNotice(
    { ...wireContent(content), number },
    { certificate: field.certificate.der, sign: (bytes) => signRaw(field.privateKey, bytes) },
  );
}

/**
 * The notice to publish: the one in place where it says the same, a new one with a higher number otherwise. So a device
 * that has it is not told again.
 * @param before the notice in place; one that cannot be read is replaced
 * @throws ERR_NOTICE_SCHEMA, ERR_NOTICE_CBOR
 */
export function nextNotice(
  field: SigningAuthority,
  content: NoticeContent,
  { before, nowMs }: { readonly before: Uint8Array | undefined; readonly nowMs: number },
): { readonly bytes: Uint8Array; readonly number: number; readonly changed: boolean } {
  const last = before === undefined ? undefined : claimed(before);
  if (before !== undefined && last !== undefined && saysTheSame(last, field, content))
    return { bytes: before, number: last.notice.number, changed: false };
  const number = Math.max(nowMs, (last?.notice.number ?? 0) + 1);
  return { bytes: makeNotice(field, content, number), number, changed: true };
}

interface Claimed {
  readonly notice: Notice;
  readonly issuer: Uint8Array;
}

function claimed(signed: Uint8Array): Claimed | undefined {
  try {
    return { notice: decodeClaimedNotice(signed), issuer: readSigner(signed) };
  } catch (error) {
    if (isHesError(error)) return undefined;
    throw error;
  }
}

function saysTheSame({ notice, issuer }: Claimed, field: SigningAuthority, content: NoticeContent): boolean {
  const { number } = notice;
  return (
    equalBytes(issuer, field.certificate.der) &&
    equalBytes(encodeNotice(notice), encodeNotice({ ...wireContent(content), number }))
  );
}

function wireContent(content: NoticeContent): Omit<Notice, 'number'> {
  const { tenant, sealing, officeRoot, officeIssuers, revokedPeople } = content;
  return {
    tenant,
    sealing: derOf('CERTIFICATE', sealing),
    officeRoot: derOf('CERTIFICATE', officeRoot),
    officeIssuers: officeIssuers.map((issuer) => derOf('CERTIFICATE', issuer)),
    revokedPeople: revokedPeople.slice(-NOTICE_REVOKED_MAX).map((serial) => Buffer.from(serial, 'hex')),
  };
}
