import type { KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readManifest } from '../../../pki/ca/open.ts';
import { ISSUE_ROWS } from '../../../pki/ca/rows.ts';
import { pkiError } from '../../../pki/errors.ts';
import { readText, readTextIfThere } from '../../../pki/files/files.ts';
import { pkiLayout } from '../../../pki/files/layout.ts';
import { checkValidity, hasProfile, issuerOf, openX509 } from '../../../pki/verify/anchors.ts';
import { Ground } from '../../../pki/verify/ground.ts';
import { CertificateVerifier } from '../../../pki/verify/verifier.ts';
import { FIELD, OFFICE, type World } from '../../../pki/verify/worlds.ts';
import { type Certificate, parseCertificate } from '../../../pki/x509/certificate.ts';
import { equalBytes, TAG } from '../../../pki/x509/der.ts';
import { readPem } from '../../../pki/x509/pem.ts';
import { PROFILES, type ProfileName } from '../../../pki/x509/profiles.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { usage } from '../errors.ts';
import { EXIT } from '../exit.ts';
import type { PkiFlags } from './flags.ts';
import { pkiDirectory } from './opened.ts';
import { columns, print, printJson } from './print.ts';

/** `hes pki verify FILE`: what a certificate is, by whom it was issued, and why it would be refused. */

export interface Verdict {
  readonly file: string;
  readonly good: boolean;
  /** Null where it is under no row of the table. */
  readonly profile: ProfileName | null;
  readonly subject: string | null;
  readonly uris: readonly string[];
  readonly serial: string | null;
  readonly notBefore: string | null;
  readonly notAfter: string | null;
  /** From itself up to its root. */
  readonly chain: readonly string[];
  /** Why not. */
  readonly code: string | null;
  readonly why: string | null;
}

/** @throws ERR_USAGE, ERR_PKI_ABSENT, ERR_PKI_DAMAGED; a bad certificate is a verdict, and the exit code 1 */
export function pkiVerify(file: string, flags: PkiFlags): void {
  const verdict = verdictOf(file, pkiDirectory(flags), Date.now());
  if (flags.json === true) printJson(verdict);
  else {
    const { good, code, why, chain, uris, ...rest } = verdict;
    print(
      columns([
        ['verdict', good ? 'good' : `refused: ${why} (${code})`],
        ...Object.entries(rest).map(([name, value]) => [name, value ?? '-'] as const),
        ['names', uris.join(' ') || '-'],
        ['chain', chain.join(' < ') || '-'],
      ]),
    );
  }
  if (!verdict.good) process.exitCode = EXIT.incomplete;
}

/** Of the first certificate of a file, PEM or DER, by the CAs of a PKI. */
export function verdictOf(file: string, directory: string, atMs: number): Verdict {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch {
    throw usage(`${file} cannot be read`);
  }
  const parts: { -readonly [Key in keyof Verdict]: Verdict[Key] } = {
    file,
    good: false,
    profile: null,
    subject: null,
    uris: [],
    serial: null,
    notBefore: null,
    notAfter: null,
    chain: [],
    code: null,
    why: null,
  };
  try {
    const der = bytes.includes('-----BEGIN') ? readPem('CERTIFICATE', bytes.toString('latin1'))[0]! : bytes;
    if (der[0] !== TAG.sequence) throw pkiError('ERR_TRUST_MALFORMED', 'it is no certificate, PEM or DER');
    const certificate = parseCertificate(der);
    parts.subject = certificate.commonName;
    parts.uris = certificate.alternativeNames.uris;
    parts.serial = certificate.serial;
    parts.notBefore = new Date(certificate.notBeforeMs).toISOString();
    parts.notAfter = new Date(certificate.notAfterMs).toISOString();
    parts.chain = [certificate.commonName ?? '?'];
    const { chain, issuer } = judge(certificate, directory, atMs);
    parts.chain = chain;
    parts.profile = profileOf(certificate, issuer);
    parts.good = true;
  } catch (error) {
    if (!isHesError(error) || !error.code.startsWith('ERR_TRUST_')) throw error;
    parts.code = error.code;
    parts.why = error.message;
  }
  return parts;
}

const issuedBy = (issuer: 'issuing' | 'headEnd' | 'officeIssuing'): readonly ProfileName[] =>
  (Object.keys(ISSUE_ROWS) as ProfileName[]).filter((name) => ISSUE_ROWS[name]?.issuer === issuer);

/** Which CA may have issued what: some profiles differ by their CA alone. */
const PROFILES_BY = {
  'field root': ['root', 'issuing', 'headEnd'],
  'office root': ['officeRoot', 'officeIssuing'],
  'issuing CA of the field': issuedBy('issuing'),
  'issuing CA of the office': issuedBy('officeIssuing'),
  'head-end CA': issuedBy('headEnd'),
} as const satisfies Record<string, readonly ProfileName[]>;

/** @throws ERR_TRUST_PROFILE */
function profileOf(certificate: Certificate, issuer: keyof typeof PROFILES_BY): ProfileName {
  const name = PROFILES_BY[issuer].find((row) => hasProfile(certificate, PROFILES[row]));
  if (name === undefined)
    throw pkiError('ERR_TRUST_PROFILE', `it is no certificate that this CA issues (${issuer})`);
  return name;
}

interface Judged {
  readonly chain: readonly string[];
  readonly issuer: keyof typeof PROFILES_BY;
}

const nameOf = ({ commonName }: Certificate): string => commonName ?? '?';

/** By whom it was issued, after every check; of a CA all but that of its profile. @throws ERR_TRUST_* */
function judge(certificate: Certificate, directory: string, atMs: number): Judged {
  const layout = pkiLayout(directory);
  const { tenants, development } = readManifest(directory);
  const x509 = openX509(certificate.der);
  const readWorld = (world: World, rootFile: string, files: FilesOf) => ({
    name: world.name,
    ground: new Ground({
      root: readText(rootFile),
      issuers: tenants.map(({ tenant }) => ({ tenant, certificate: readText(files.issuing(tenant)) })),
      development,
      world,
    }),
    crls: tenants.flatMap(({ tenant }) => readTextIfThere(files.crl(tenant)) ?? []),
  });
  const office = layout.office;
  const worlds = [
    readWorld(FIELD, layout.root.certificate, {
      issuing: (tenant) => layout.issuing(tenant).certificate,
      crl: layout.crl,
    }),
    readWorld(OFFICE, office.root.certificate, {
      issuing: (tenant) => office.issuing(tenant).certificate,
      crl: office.crl,
    }),
  ];
  for (const { name, ground, crls } of worlds) {
    const { root, authorities } = ground.anchors;
    const authority = authorities.get(certificate.authorityKeyId ?? '');
    if (authority !== undefined) {
      const issuer = `issuing CA of the ${name}` as const;
      issuerOf(ground.anchors, certificate, x509);
      // Only now: a damaged list of one world says nothing of the other.
      ground.replaceCrls(crls);
      const verifier = new CertificateVerifier(ground, {
        profile: PROFILES[profileOf(certificate, issuer)],
        readNames: checkTenant,
        cachedMax: 1,
        keep: () => null,
      });
      verifier.verify(certificate.der, atMs);
      const chain = [nameOf(certificate), nameOf(authority.certificate), nameOf(root)];
      return { chain, issuer };
    }
    if (root.subjectKeyId === certificate.authorityKeyId) {
      checkSignature(x509, openX509(root.der).publicKey);
      checkValidity([root, certificate], atMs);
      const itself = equalBytes(root.der, certificate.der);
      return {
        chain: itself ? [nameOf(root)] : [nameOf(certificate), nameOf(root)],
        issuer: `${name} root`,
      };
    }
  }
  const headEnd = parseCertificate(readPem('CERTIFICATE', readText(layout.headEnd.certificate))[0]!);
  if (headEnd.subjectKeyId !== certificate.authorityKeyId)
    throw pkiError('ERR_TRUST_ISSUER', 'no CA of this PKI issued it');
  checkSignature(x509, openX509(headEnd.der).publicKey);
  const { root } = worlds[0]!.ground.anchors;
  checkValidity([root, headEnd, certificate], atMs);
  return { chain: [nameOf(certificate), nameOf(headEnd), nameOf(root)], issuer: 'head-end CA' };
}

interface FilesOf {
  readonly issuing: (tenant: TenantId) => string;
  readonly crl: (tenant: TenantId) => string;
}

/** A CA names its own tenant's alone; a device's guests are named beside it. */
function checkTenant({ alternativeNames: { uris } }: Certificate, tenant: TenantId): object {
  if (!uris.some((uri) => uri.startsWith(`urn:hes:${tenant}:`)))
    throw pkiError('ERR_TRUST_IDENTITY', `it names nobody of ${tenant}, whose CA issued it`);
  return {};
}

function checkSignature(x509: X509Certificate, key: KeyObject): void {
  if (!x509.verify(key))
    throw pkiError('ERR_TRUST_SIGNATURE', 'it does not carry the signature of the CA that it names');
}
