import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { TenantId } from '../../protocol/identity.ts';
import type { DevelopmentPki } from '../development/development-pki.ts';
import { makeNotice, type NoticeContent } from '../notice/notice.ts';
import { sealingKid } from '../verify/sealing.ts';
import { certify, newKeyPair } from '../x509/certify.ts';
import { sealingUri } from '../x509/names.ts';
import { toPem } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';

/** A notice of a tenant that announces a new sealing key, and that key: for the tests of those who take or carry it. */
export function newSealingNotice(
  pki: DevelopmentPki,
  tenant: TenantId,
  {
    nowMs = Date.now(),
    number = nowMs,
    ...changes
  }: Partial<NoticeContent> & { readonly nowMs?: number; readonly number?: number } = {},
): {
  readonly signed: Uint8Array;
  readonly kid: string;
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly privateKey: KeyObject;
} {
  const authority = pki.authorities.get(tenant)!;
  const { privateKeyPem, spki } = newKeyPair();
  const der = certify(authority, {
    profile: PROFILES.sealing,
    subject: { commonName: sealingUri(tenant) },
    names: { uris: [sealingUri(tenant)] },
    spki,
    notBeforeMs: nowMs - 60_000,
  });
  const content: NoticeContent = {
    tenant,
    sealing: der,
    officeRoot: pki.office!.root,
    officeIssuers: [pki.office!.authorities.get(tenant)!.certificatePem],
    revokedPeople: [],
    ...changes,
  };
  return {
    signed: makeNotice(authority, content, number),
    kid: Buffer.from(sealingKid(spki)).toString('hex'),
    certificatePem: toPem('CERTIFICATE', der) + authority.certificatePem,
    keyPem: privateKeyPem,
    privateKey: createPrivateKey(privateKeyPem),
  };
}
