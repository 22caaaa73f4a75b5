import { createPrivateKey } from 'node:crypto';
import { authorityOf, type CertifyRequest, certify, newKeyPair, type SigningAuthority } from './certify.ts';
import { makeCrl } from './crl.ts';
import { DEVELOPMENT_ORGANIZATION as organization } from './names.ts';
import { toPem } from './pem.ts';

/** The parts that the development PKIs of field and office are made of. */

/** A certificate begins a little in the past: the clock of whoever checks it may be behind ours. */
export const CLOCK_SKEW_MS = 3_600_000;

/** 127.0.0.1 and ::1. */
export const LOOPBACK = [
  Uint8Array.of(127, 0, 0, 1),
  Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? 1 : 0)),
];

export interface Made {
  readonly keyPem: string;
  readonly spki: Uint8Array;
  readonly certificate: Uint8Array;
  readonly pem: string;
}

export function make(authority: SigningAuthority, request: Omit<CertifyRequest, 'spki'>): Made {
  const { privateKeyPem, spki } = newKeyPair();
  const certificate = certify(authority, { ...request, spki });
  return { keyPem: privateKeyPem, spki, certificate, pem: toPem('CERTIFICATE', certificate) };
}

export function makeCa(
  root: SigningAuthority,
  profile: CertifyRequest['profile'],
  uri: string,
  notBeforeMs: number,
): Made {
  return make(root, {
    profile,
    subject: { organization, commonName: uri },
    names: { uris: [uri] },
    notBeforeMs,
  });
}

export const signing = (made: Made): SigningAuthority =>
  authorityOf(made.certificate, createPrivateKey(made.keyPem));

/**
 * A development CA promises no next list before its own end: nobody runs a publisher beside `npm start`, and a
 * stale list stops every device of the tenant. Production lists are short-lived.
 */
export function emptyCrl(authority: SigningAuthority, thisUpdateMs: number): Uint8Array {
  const nextUpdateMs = authority.certificate.notAfterMs;
  return makeCrl(authority, { number: 1n, thisUpdateMs, nextUpdateMs, entries: [] });
}
