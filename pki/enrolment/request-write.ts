import 'reflect-metadata';
import { createPrivateKey, createPublicKey, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { TenantId } from '../../protocol/identity.ts';
import { type KeyPair, newKeyPair } from '../x509/certify.ts';
import { toPem } from '../x509/pem.ts';
import { type KeyUsage, type Profile, PURPOSE } from '../x509/profiles.ts';
import {
  CREDENTIAL_NAMES,
  CREDENTIALS,
  type CredentialName,
  type EnrolmentRequest,
  requestedUris,
  requestIdOf,
} from './request.ts';

const ES256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** RFC 5280 §4.2.1.3, as the library numbers its bits. */
const LIBRARY_USAGE: Readonly<Record<KeyUsage, number>> = {
  digitalSignature: x509.KeyUsageFlags.digitalSignature,
  keyAgreement: x509.KeyUsageFlags.keyAgreement,
  keyCertSign: x509.KeyUsageFlags.keyCertSign,
  cRLSign: x509.KeyUsageFlags.cRLSign,
};

export interface AskedFor {
  readonly profile: Profile;
  readonly commonName: string;
  readonly uris: readonly string[];
}

/** RFC 2985 §5.4.2, extensionRequest: use, purpose and names of the row that the certificate shall be of. */
export function askedExtensions({ profile, uris }: AskedFor): x509.Extension[] {
  return [
    new x509.KeyUsagesExtension(
      profile.keyUsage.reduce((sum, usage) => sum | LIBRARY_USAGE[usage], 0),
      true,
    ),
    new x509.ExtendedKeyUsageExtension(profile.purposes.map((purpose) => PURPOSE[purpose])),
    new x509.SubjectAlternativeNameExtension(uris.map((value) => ({ type: 'url', value }))),
  ];
}

export type EnrolmentKeys = Readonly<Record<CredentialName, KeyPair>>;

export function newEnrolmentKeys(): EnrolmentKeys {
  return { tls: newKeyPair(), sign: newKeyPair(), agree: newKeyPair() };
}

/** The request for these keys. (Written again it has other signatures: ECDSA draws a number for each.) */
export async function writeEnrolmentRequest(
  keys: EnrolmentKeys,
  asked: { readonly home: TenantId; readonly guests: readonly TenantId[]; readonly root: string | null },
): Promise<EnrolmentRequest> {
  const request = requestIdOf({ tls: keys.tls.spki, sign: keys.sign.spki, agree: keys.agree.spki });
  const uris = requestedUris(asked, request);
  const [tls, sign, agree] = await Promise.all(
    CREDENTIAL_NAMES.map((name) =>
      writeCertificateRequest(keys[name], { profile: CREDENTIALS[name], commonName: request, uris }),
    ),
  );
  return {
    type: 'hes-enrolment-request',
    version: 1,
    request,
    home: asked.home,
    guests: asked.guests,
    root: asked.root,
    tls: tls!,
    sign: sign!,
    agree: agree!,
  };
}

/**
 * RFC 2986: the subject's name and key, what it asks for, signed with that key. The key-agreement key signs its own request too, the one signature of its life: docs/adr/0110.
 */
export async function writeCertificateRequest(pair: KeyPair, asked: AskedFor): Promise<string> {
  const privateKey = createPrivateKey(pair.privateKeyPem);
  const made = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      name: new x509.Name([{ CN: [{ utf8String: asked.commonName }] }]),
      keys: {
        privateKey: privateKey.toCryptoKey(ES256, false, ['sign']),
        publicKey: createPublicKey(privateKey).toCryptoKey(ES256, true, ['verify']),
      },
      signingAlgorithm: ES256,
      extensions: askedExtensions(asked),
    },
    webcrypto as unknown as Crypto,
  );
  return toPem('CERTIFICATE REQUEST', new Uint8Array(made.rawData));
}
