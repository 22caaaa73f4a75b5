import type { TenantId } from '../../protocol/identity.ts';
import { type KeyMaker, makeKeyHere, type NewKey } from '../keys/key-maker.ts';
import { authorityOf, type CertifyRequest, certify, type SigningAuthority } from '../x509/certify.ts';
import { makeCrl } from '../x509/crl.ts';
import { DEVELOPMENT_ORGANIZATION } from '../x509/names.ts';
import { toPem } from '../x509/pem.ts';

/** The parts that the PKIs of field and office are made of, for development and by ceremony. */

/** How a PKI is made: everything in which development and production differ. */
export interface Making {
  readonly development: boolean;
  /** In the names of the CAs. */
  readonly organization: string;
  /** Where the keys of issuing CAs and the sealing keys are made: here, or in a token of theirs. */
  readonly keyMaker: (owner: TenantId | 'head-end') => KeyMaker;
  /** How a private key is written: as it is, or encrypted; what refers to a token is no secret. */
  readonly keep: (keyPem: string, kind: 'root' | 'ca' | 'service') => string;
  readonly frontHosts: readonly string[];
  readonly deskHosts: (tenant: TenantId) => readonly string[];
  /** Whether the servers are also named by the addresses of this machine. */
  readonly loopback: boolean;
  /** Whether there is one person of each role from the start. */
  readonly people: boolean;
  /** Until when the first revocation lists are good; undefined: as long as their CA. */
  readonly crlValidityMs: number | undefined;
}

export const DEVELOPMENT: Making = {
  development: true,
  organization: DEVELOPMENT_ORGANIZATION,
  keyMaker: () => makeKeyHere,
  keep: (keyPem) => keyPem,
  frontHosts: ['localhost'],
  deskHosts: () => ['localhost'],
  loopback: true,
  people: true,
  crlValidityMs: undefined,
};

/** A certificate begins a little in the past: the clock of whoever checks it may be behind ours. */
export const CLOCK_SKEW_MS = 3_600_000;

/** 127.0.0.1 and ::1. */
export const LOOPBACK = [
  Uint8Array.of(127, 0, 0, 1),
  Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? 1 : 0)),
];

export interface Made extends NewKey {
  readonly certificate: Uint8Array;
  readonly pem: string;
}

export function make(
  authority: SigningAuthority,
  request: Omit<CertifyRequest, 'spki'>,
  key: NewKey = makeKeyHere('sign', ''),
): Made {
  const certificate = certify(authority, { ...request, spki: key.spki });
  return Object.assign(key, { certificate, pem: toPem('CERTIFICATE', certificate) });
}

export function makeCa(
  root: SigningAuthority,
  profile: CertifyRequest['profile'],
  uri: string,
  notBeforeMs: number,
  organization: string = DEVELOPMENT_ORGANIZATION,
  key?: NewKey,
): Made {
  const names = { uris: [uri] };
  return make(root, { profile, subject: { organization, commonName: uri }, names, notBeforeMs }, key);
}

export const signing = (made: Made): SigningAuthority => authorityOf(made.certificate, made.signer);

/**
 * A development CA promises no next list before its own end: nobody runs a publisher beside `npm start`, and a
 * stale list stops every device of the tenant. Production lists are short-lived.
 */
export function emptyCrl(
  authority: SigningAuthority,
  thisUpdateMs: number,
  validityMs?: number | undefined,
): Uint8Array {
  const endMs = authority.certificate.notAfterMs;
  const nextUpdateMs = validityMs === undefined ? endMs : Math.min(endMs, thisUpdateMs + validityMs);
  return makeCrl(authority, { number: 1n, thisUpdateMs, nextUpdateMs, entries: [] });
}
