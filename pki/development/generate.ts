import type { TenantId } from '../../protocol/identity.ts';
import type { PkiLayout } from '../files/layout.ts';
import type { Manifest } from '../files/manifest.ts';
import { generateOffice } from '../office/generate.ts';
import { sealingKid } from '../verify/sealing.ts';
import { selfSign } from '../x509/certify.ts';
import { FIELD_ROOT_URI, FRONT_URI, HEAD_END_URI, issuingUri, sealingUri } from '../x509/names.ts';
import { toPem } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';
import {
  CLOCK_SKEW_MS,
  DEVELOPMENT,
  emptyCrl,
  LOOPBACK,
  type Made,
  type Making,
  make,
  makeCa,
  signing,
} from './making.ts';

/** Every file of a fresh PKI, by path; the manifest comes last. Pure but for the keys' randomness. */
export function generatePki(
  layout: PkiLayout,
  tenants: readonly TenantId[],
  nowMs: number,
  making: Making = DEVELOPMENT,
): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const { organization, development, frontHosts } = making;
  const put = (
    at: { readonly certificate: string; readonly key: string },
    made: Made,
    kind: 'ca' | 'service',
    chain = '',
  ) => {
    files.set(at.certificate, made.pem + chain);
    files.set(at.key, making.keep(made.keyPem, kind));
  };
  const notBeforeMs = nowMs - CLOCK_SKEW_MS;
  const root = selfSign({
    profile: PROFILES.root,
    subject: { organization, commonName: FIELD_ROOT_URI },
    names: { uris: [FIELD_ROOT_URI] },
    notBeforeMs,
  });
  files.set(layout.root.certificate, root.certificatePem);
  files.set(layout.root.key, making.keep(root.privateKeyPem, 'root'));

  const headEndKey = making.keyMaker('head-end')('sign', 'hes head-end CA');
  const headEnd = makeCa(root, PROFILES.headEnd, HEAD_END_URI, notBeforeMs, organization, headEndKey);
  put(layout.headEnd, headEnd, 'ca');
  const server = make(signing(headEnd), {
    profile: PROFILES.frontServer,
    subject: { commonName: frontHosts[0]! },
    names: { uris: [FRONT_URI], dns: frontHosts, addresses: making.loopback ? LOOPBACK : [] },
    notBeforeMs,
  });
  put(layout.front, server, 'service', headEnd.pem);

  for (const [file, text] of generateOffice(layout.office, tenants, nowMs, making)) files.set(file, text);

  const rows: Manifest['tenants'][number][] = [];
  for (const tenant of tenants) {
    const newKey = making.keyMaker(tenant);
    const issuingKey = newKey('sign', `hes ${tenant} field CA`);
    const issuing = makeCa(root, PROFILES.issuing, issuingUri(tenant), notBeforeMs, organization, issuingKey);
    put(layout.issuing(tenant), issuing, 'ca');
    const authority = signing(issuing);
    files.set(layout.crl(tenant), toPem('X509 CRL', emptyCrl(authority, notBeforeMs, making.crlValidityMs)));
    const sealing = make(
      authority,
      {
        profile: PROFILES.sealing,
        subject: { commonName: sealingUri(tenant) },
        names: { uris: [sealingUri(tenant)] },
        notBeforeMs,
      },
      newKey('agree', `hes ${tenant} sealing`),
    );
    const kid = Buffer.from(sealingKid(sealing.spki)).toString('hex');
    put(layout.sealing(tenant, kid), sealing, 'service', issuing.pem);
    rows.push({ tenant, kid });
  }
  const manifest: Manifest = { version: 1, development, createdAtMs: nowMs, tenants: rows };
  files.set(layout.manifest, `${JSON.stringify(manifest, null, 2)}\n`);
  return files;
}
