import { createPrivateKey, type KeyObject } from 'node:crypto';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { z } from 'zod';
import { isRole, type Role } from '../../protocol/command/roles.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { parseDocument, pemSchema, tenantSchema } from '../enrolment/request.ts';
import { pkiError } from '../errors.ts';
import { readPrivateText, systemCode } from '../files/files.ts';
import { hasProfile, isNamed, openX509 } from '../verify/anchors.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { DerCursor, TAG } from '../x509/der.ts';
import { isPersonName, type OfficeName, personUri } from '../x509/names.ts';
import { readPem } from '../x509/pem.ts';
import { PROFILES, type Profile } from '../x509/profiles.ts';
import { createOfficeTrust } from './trust.ts';

export { readPassphrase } from '../keys/encrypted-key.ts';

/**
 * What a person or a system of an operator keeps to itself: one file with two keys, for signatures and for the API,
 * each encrypted. It lies where commands are decided, and nowhere else.
 */
export interface OfficeIdentity {
  readonly version: 1;
  readonly tenant: TenantId;
  readonly role: Role;
  readonly person: string;
  /** Said by those of a development PKI; their root says it, too. */
  readonly development?: boolean | undefined;
  /** The office root (PEM), which the API's server is checked against. */
  readonly root: string;
  /** `key`: encrypted PKCS#8 PEM. */
  readonly sign: { readonly key: string; readonly certificate: string };
  /** The certificate is followed by its issuing CA's. */
  readonly tls: { readonly key: string; readonly certificate: string };
  /** Where the API is. */
  readonly desk?: string | undefined;
}

/** Two chains and two keys of about 1 KiB each, and room. */
export const OFFICE_IDENTITY_BYTES_MAX = 32_768;

const keySchema = z.strictObject({ key: pemSchema, certificate: pemSchema });
const identitySchema = z.strictObject({
  version: z.literal(1),
  tenant: tenantSchema,
  role: z.custom<Role>(isRole, 'no role'),
  person: z.custom<string>(isPersonName, 'no name'),
  development: z.boolean().optional(),
  root: pemSchema,
  sign: keySchema,
  tls: keySchema,
  desk: z.string().max(2_048).optional(),
});

/** Somebody who can sign and call: what `hes op` works with. */
export interface OpenedOfficeIdentity extends OfficeName {
  /** As `signCommand` and `approveCommand` take it. */
  readonly signer: { readonly privateKey: KeyObject; readonly certificate: Uint8Array };
  /** Options of node:tls and node:https for calling this tenant's API and no other server. */
  readonly tls: {
    readonly key: string;
    readonly cert: string;
    readonly ca: string;
    readonly minVersion: 'TLSv1.3';
    readonly checkServerIdentity: (host: string, peer: PeerCertificate) => Error | undefined;
  };
  readonly root: string;
}

/** @throws ERR_PKI_OFFICE; it never quotes the text, which holds keys */
export function parseOfficeIdentity(text: string): OfficeIdentity {
  return parseDocument(text, {
    schema: identitySchema,
    bytesMax: OFFICE_IDENTITY_BYTES_MAX,
    code: 'ERR_PKI_OFFICE',
    what: 'office identity',
  });
}

/** @throws ERR_PKI_OFFICE, ERR_PKI_DAMAGED (missing), ERR_PKI_RIGHTS (unreadable, or readable for others) */
export function readOfficeIdentity(file: string): OfficeIdentity {
  const text = readIdentityText(file);
  try {
    return parseOfficeIdentity(text);
  } catch (cause) {
    throw pkiError(
      'ERR_PKI_OFFICE',
      `${file} is no usable office identity (${reason(cause)}): have it issued again`,
      {
        cause,
        context: { file },
      },
    );
  }
}

function readIdentityText(file: string): string {
  try {
    return readPrivateText(file);
  } catch (cause) {
    if (systemCode((cause as Error).cause) !== 'ENOENT') throw cause;
    const how = 'name the file of an identity, as `hes pki issue` makes it';
    throw pkiError('ERR_PKI_OFFICE', `${file} is missing: ${how}`, { cause, context: { file } });
  }
}

/**
 * Decrypt both keys and hold everything in the file against everything else.
 * @throws ERR_PKI_PASSPHRASE where it is the wrong one; ERR_PKI_OFFICE where the file is damaged, a key is not
 *   encrypted, or a certificate is of another key, use or person
 */
export function openOfficeIdentity(
  identity: OfficeIdentity,
  passphrase: string,
  options: { readonly clock?: { nowMs(): number } } = {},
): OpenedOfficeIdentity {
  const { tenant, role, person, root } = identity;
  const name = { tenant, role, person };
  const sign = open('sign', identity.sign, PROFILES.personSign, name, passphrase);
  const tls = open('tls', identity.tls, PROFILES.personTls, name, passphrase);
  const checkDesk = deskCheck(identity, tls.chain[1], options.clock ?? { nowMs: Date.now });
  return {
    ...name,
    signer: { privateKey: sign.privateKey, certificate: sign.chain[0]! },
    tls: {
      key: tls.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      cert: identity.tls.certificate,
      ca: root,
      minVersion: 'TLSv1.3',
      checkServerIdentity: checkDesk,
    },
    root,
  };
}

function open(
  which: 'sign' | 'tls',
  { key, certificate }: OfficeIdentity['sign'],
  profile: Profile,
  name: OfficeName,
  passphrase: string,
): { readonly privateKey: KeyObject; readonly chain: readonly Uint8Array[] } {
  const chain = whole(which, () => readPem('CERTIFICATE', certificate));
  const leaf = whole(which, () => parseCertificate(chain[0]!));
  const x509 = whole(which, () => openX509(leaf.der));
  if (!hasProfile(leaf, profile) || !isNamed(leaf, personUri(name)))
    throw damaged(which, 'its certificate is for another use or person');
  const encrypted = whole(which, () => encryptedKey(key));
  const privateKey = decrypt(encrypted, passphrase);
  if (!x509.checkPrivateKey(privateKey)) throw damaged(which, 'its key is not of its certificate');
  return { privateKey, chain };
}

/** RFC 5958 §3, the outer frame: what is whole there and does not open was given another passphrase. */
function encryptedKey(pem: string): Uint8Array {
  const der = readPem('ENCRYPTED PRIVATE KEY', pem)[0]!;
  const outer = new DerCursor(der);
  const body = outer.enter(TAG.sequence);
  outer.end();
  body.read(TAG.sequence);
  body.read(TAG.octetString);
  body.end();
  return der;
}

function decrypt(encrypted: Uint8Array, passphrase: string): KeyObject {
  try {
    return createPrivateKey({ key: Buffer.from(encrypted), format: 'der', type: 'pkcs8', passphrase });
  } catch {
    // No cause: what OpenSSL says of a wrong passphrase is noise, and never worth its risk.
    throw pkiError('ERR_PKI_PASSPHRASE', 'the passphrase does not open this identity');
  }
}

/**
 * The server is named as it is reached, and it is the desk of this tenant under this tenant's own CA: the API of
 * another operator hangs under the same root.
 */
function deskCheck(
  { tenant, root, development = false }: OfficeIdentity,
  issuing: Uint8Array | undefined,
  clock: { nowMs(): number },
): (host: string, peer: PeerCertificate) => Error | undefined {
  if (issuing === undefined)
    throw damaged('tls', 'the certificate of its issuing CA does not follow its own');
  const trust = whole('tls', () =>
    createOfficeTrust({ root, issuers: [{ tenant, certificate: issuing }], development, clock }),
  );
  return (host, peer) => {
    const misnamed = checkServerIdentity(host, peer);
    if (misnamed !== undefined) return misnamed;
    try {
      trust.desk(peer.raw);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error('refused');
    }
  };
}

function whole<Result>(which: 'sign' | 'tls', run: () => Result): Result {
  try {
    return run();
  } catch (cause) {
    throw damaged(which, reason(cause), cause);
  }
}

const reason = (cause: unknown): string => (isHesError(cause) ? cause.message : 'unreadable');

const damaged = (which: 'sign' | 'tls', why: string, cause?: unknown) =>
  pkiError('ERR_PKI_OFFICE', `the office identity cannot be used: ${which}: ${why}`, { cause });
