import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { PkiErrorCode } from '../errors.ts';
import {
  authorityOf,
  type CertifyRequest,
  certify,
  newKeyPair,
  type SigningAuthority,
} from '../x509/certify.ts';
import { contextTag, DerCursor, der, derBits, derOid, derTrue, TAG } from '../x509/der.ts';
import { toPem } from '../x509/pem.ts';
import { PROFILES, type Profile, type ProfileName } from '../x509/profiles.ts';
import { signDer } from '../x509/signature.ts';
import { authorityFromLeaf, DAY_MS, type Leaf, makeLeaf, makeRoot } from './field.ts';

/** What a certificate at one place looks like when it is right, and who could make wrong ones of it. */
export interface Ground {
  /** What the place expects: profile and names. */
  readonly profile: Profile;
  readonly commonName: string;
  readonly uri: string;
  /** Hosts, for a server. */
  readonly dns?: readonly string[];
  /** The same kind of name at another tenant. */
  readonly foreignUri: string;
  /** A profile that its CA issues too, for something else. */
  readonly wrongProfile: ProfileName;
  readonly root: SigningAuthority;
  /** The CA that the place trusts, and that of another tenant under the same root. */
  readonly issuing: SigningAuthority;
  readonly foreign: SigningAuthority;
  readonly nowMs: number;
  /** A serial number that the CA has taken back, as its list says. */
  readonly revokedSerial: Uint8Array;
}

export interface Bad {
  readonly der: Uint8Array;
  readonly privateKey: KeyObject;
  /** What is between it and the root, as somebody would send it along: PEM. */
  readonly between: string;
}

export interface BadRow {
  readonly what: string;
  /** The one reason for which it is refused, where only the CA of the place is pinned. */
  readonly code: PkiErrorCode;
  /** What `openssl verify` says of it; null where it has no opinion, with why. */
  readonly openssl: RegExp | null;
  readonly why?: string;
  /** Whether a TLS client can be made to send it: OpenSSL at the sender's side has to read it. */
  readonly overTls: boolean;
  /** A development PKI lets it pass (anchors.ts), and the system tests have one. */
  readonly onlyProduction?: true;
  readonly make: (ground: Ground) => Bad;
}

type Changes = Partial<Omit<CertifyRequest, 'spki'>>;

/** Right in everything but the changes. */
export function rightBut(ground: Ground, changes: Changes = {}, by = ground.issuing): Leaf {
  const { profile, commonName, uri, dns = [], nowMs } = ground;
  return makeLeaf(by, {
    profile,
    subject: { commonName },
    names: { uris: [uri], dns },
    notBeforeMs: nowMs - DAY_MS,
    notAfterMs: nowMs + DAY_MS,
    ...changes,
  });
}

const bad = ({ der, privateKey }: Leaf, ...between: readonly SigningAuthority[]): Bad => ({
  der,
  privateKey,
  between: between.map(({ certificatePem }) => certificatePem).join(''),
});

/** A CA with the names of the right one, and these changes. */
function caLike(ground: Ground, by: SigningAuthority, changes: Changes = {}): SigningAuthority {
  const { privateKeyPem, spki } = newKeyPair();
  const { commonName, alternativeNames } = ground.issuing.certificate;
  const { issuing } = PROFILES;
  const made = certify(by, {
    profile: ground.profile.name.startsWith('person') ? PROFILES.officeIssuing : issuing,
    subject: { commonName: commonName ?? '' },
    names: { uris: alternativeNames.uris },
    notBeforeMs: ground.nowMs - DAY_MS,
    notAfterMs: ground.nowMs + DAY_MS,
    ...changes,
    spki,
  });
  return authorityOf(made, createPrivateKey(privateKeyPem));
}

/** Signed again by `by`, with its elements changed. */
export function resigned(
  certificate: Uint8Array,
  by: SigningAuthority,
  change: (elements: readonly Uint8Array[]) => readonly Uint8Array[],
): Uint8Array {
  const outer = new DerCursor(certificate).enter(TAG.sequence);
  const tbs = outer.enter(TAG.sequence);
  const elements: Uint8Array[] = [];
  while (!tbs.done) elements.push(tbs.read().whole);
  const algorithm = outer.read().whole;
  const changed = der(TAG.sequence, ...change(elements));
  return der(TAG.sequence, changed, algorithm, derBits(signDer(by.privateKey, changed)));
}

/** RFC 5280 §4.1: the key is the element before the extensions. */
const KEY_AT = 6;
const withKey = (spki: Uint8Array) => (elements: readonly Uint8Array[]) => elements.with(KEY_AT, spki);

const withExtensions =
  (change: (own: readonly Uint8Array[]) => readonly Uint8Array[]) =>
  (elements: readonly Uint8Array[]): readonly Uint8Array[] => {
    const list = new DerCursor(elements.at(-1)!).enter(contextTag(3, 'constructed')).enter(TAG.sequence);
    const own: Uint8Array[] = [];
    while (!list.done) own.push(list.read().whole);
    return elements.with(-1, der(contextTag(3, 'constructed'), der(TAG.sequence, ...change(own))));
  };

const critical = (oid: string, value: Uint8Array): Uint8Array =>
  der(TAG.sequence, derOid(oid), derTrue, der(TAG.octetString, value));

/** RFC 5280 §4.2.1.10: a permitted subtree of DNS names and one of URIs, neither of them ours. */
const NAME_CONSTRAINTS = critical(
  '2.5.29.30',
  der(
    TAG.sequence,
    der(
      contextTag(0, 'constructed'),
      der(TAG.sequence, der(contextTag(6, 'primitive'), Buffer.from('.elsewhere.example', 'latin1'))),
    ),
  ),
);

function otherKey(ground: Ground, pair: { publicKey: KeyObject; privateKey: KeyObject }): Bad {
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' });
  return {
    der: resigned(rightBut(ground).der, ground.issuing, withKey(spki)),
    privateKey: pair.privateKey,
    between: ground.issuing.certificatePem,
  };
}

const CUT_BYTES = 9;
/** As many names as make it longer than any certificate of ours may be. */
const HUGE_NAMES = 120;

/** Everything that a certificate can be wrong in, each right in all else. */
export const BAD_CERTIFICATES: readonly BadRow[] = [
  {
    what: 'that has expired',
    code: 'ERR_TRUST_EXPIRED',
    openssl: /certificate has expired/,
    overTls: true,
    make: (ground) => bad(rightBut(ground, { notAfterMs: ground.nowMs - 60_000 }), ground.issuing),
  },
  {
    what: 'that is not valid yet',
    code: 'ERR_TRUST_NOT_YET_VALID',
    openssl: /not yet valid/,
    overTls: true,
    make: (ground) => bad(rightBut(ground, { notBeforeMs: ground.nowMs + DAY_MS / 2 }), ground.issuing),
  },
  {
    what: 'for another use',
    code: 'ERR_TRUST_PROFILE',
    openssl: null,
    why: 'it knows no purposes of ours; those of TLS are compared in worlds.test.ts',
    overTls: true,
    make: (ground) => bad(rightBut(ground, { profile: PROFILES[ground.wrongProfile] }), ground.issuing),
  },
  {
    what: 'that lives longer than its kind',
    code: 'ERR_TRUST_PROFILE',
    openssl: null,
    why: 'it knows no lives of ours',
    overTls: true,
    onlyProduction: true,
    make: (ground) =>
      bad(
        rightBut(ground, { notAfterMs: ground.nowMs + ground.profile.validityDays * DAY_MS }),
        ground.issuing,
      ),
  },
  {
    what: 'of another tenant, which names this one',
    code: 'ERR_TRUST_ISSUER',
    openssl: null,
    why: 'it makes no difference between the CAs under one root',
    overTls: true,
    make: (ground) => bad(rightBut(ground, {}, ground.foreign), ground.foreign),
  },
  {
    what: 'by this tenant, which names another one',
    code: 'ERR_TRUST_IDENTITY',
    openssl: null,
    why: 'it knows no tenants',
    overTls: true,
    make: (ground) => bad(rightBut(ground, { names: { uris: [ground.foreignUri] } }), ground.issuing),
  },
  {
    what: 'under another root',
    code: 'ERR_TRUST_ISSUER',
    openssl: /unable to get local issuer certificate/,
    overTls: true,
    make(ground) {
      const root = makeRoot({ notBeforeMs: ground.nowMs - DAY_MS, subject: { commonName: 'urn:strange' } });
      const issuing = caLike(ground, root);
      return bad(rightBut(ground, {}, issuing), issuing);
    },
  },
  {
    what: 'by a certificate without the CA flag',
    code: 'ERR_TRUST_ISSUER',
    openssl: /invalid CA certificate/,
    overTls: true,
    make(ground) {
      // Another name than that of what it issues, which would else look self-signed.
      const device = rightBut(ground, { subject: { commonName: 'fedcba9876543210' } });
      const issuer = { ...authorityOf(device.der, device.privateKey), certificatePem: device.pem };
      const { der: made, privateKey } = rightBut(ground, {}, authorityFromLeaf(device));
      // OpenSSL finds an issuer by key identifier where there is one: without it, by name.
      const plain = resigned(
        made,
        issuer,
        withExtensions((own) => own.filter((_, at) => at !== own.length - 2)),
      );
      return {
        der: plain,
        privateKey,
        between: issuer.certificatePem + ground.issuing.certificatePem,
      };
    },
  },
  {
    what: 'on a path that is too long',
    code: 'ERR_TRUST_ISSUER',
    openssl: /path length constraint exceeded/,
    overTls: true,
    make(ground) {
      const below = caLike(ground, ground.issuing, { subject: { commonName: 'urn:hes:below' } });
      return bad(rightBut(ground, {}, below), below, ground.issuing);
    },
  },
  {
    what: 'that is a CA itself',
    code: 'ERR_TRUST_PROFILE',
    openssl: null,
    why: 'a CA may be an end entity to it where no purpose is asked for',
    overTls: true,
    make: (ground) =>
      bad(rightBut(ground, { profile: { ...ground.profile, pathLength: 0 } }), ground.issuing),
  },
  {
    what: 'outside the name constraints of its CA',
    code: 'ERR_TRUST_ISSUER',
    openssl: /subtree violation|name constraint|name syntax/,
    overTls: true,
    make(ground) {
      const free = caLike(ground, ground.root);
      const bytes = resigned(
        free.certificate.der,
        ground.root,
        withExtensions((own) => [...own, NAME_CONSTRAINTS]),
      );
      const bound = { ...free, certificatePem: toPem('CERTIFICATE', bytes) };
      return bad(rightBut(ground, {}, bound), bound);
    },
  },
  {
    what: 'that was revoked',
    code: 'ERR_TRUST_REVOKED',
    openssl: /certificate revoked/,
    overTls: true,
    make: (ground) => bad(rightBut(ground, { serial: ground.revokedSerial }), ground.issuing),
  },
  {
    what: 'with a weak key',
    code: 'ERR_TRUST_MALFORMED',
    openssl: /key too weak/,
    overTls: true,
    make: (ground) => otherKey(ground, generateKeyPairSync('rsa', { modulusLength: 1_024 })),
  },
  {
    what: 'on another curve',
    code: 'ERR_TRUST_MALFORMED',
    openssl: null,
    why: 'P-384 is a good curve to it; here one curve is one code path',
    overTls: true,
    make: (ground) => otherKey(ground, generateKeyPairSync('ec', { namedCurve: 'P-384' })),
  },
  {
    what: 'with the signature of somebody else',
    code: 'ERR_TRUST_SIGNATURE',
    openssl: /signature failure/,
    overTls: true,
    make(ground) {
      const { der: right, privateKey } = rightBut(ground);
      return {
        ...bad(
          { der: resigned(right, ground.foreign, (own) => own), privateKey, pem: '', keyPem: '' },
          ground.issuing,
        ),
      };
    },
  },
  {
    what: 'that is cut short',
    code: 'ERR_TRUST_MALFORMED',
    openssl: /[Cc]ould not|unable to load|[Uu]nable to/,
    overTls: false,
    make(ground) {
      const leaf = rightBut(ground);
      return { ...bad(leaf, ground.issuing), der: leaf.der.subarray(0, -CUT_BYTES) };
    },
  },
  {
    what: 'with a critical extension that nobody knows',
    code: 'ERR_TRUST_MALFORMED',
    openssl: /unhandled critical extension/,
    overTls: true,
    make(ground) {
      const leaf = rightBut(ground);
      const changed = resigned(
        leaf.der,
        ground.issuing,
        withExtensions((own) => [...own, critical('1.2.3.4', der(TAG.sequence))]),
      );
      return { ...bad(leaf, ground.issuing), der: changed };
    },
  },
  {
    what: 'that is huge',
    code: 'ERR_TRUST_MALFORMED',
    openssl: null,
    why: 'to it 6 kB are no size',
    overTls: true,
    make: (ground) =>
      bad(
        rightBut(ground, {
          names: {
            uris: Array.from({ length: HUGE_NAMES }, (_, at) => `${ground.uri}:${'x'.repeat(32)}${at}`),
          },
        }),
        ground.issuing,
      ),
  },
];

/** A second certificate with the serial number of the first: refused where the first is in use. */
export function sameSerial(ground: Ground): readonly [first: Leaf, second: Leaf] {
  const serial = Buffer.from('4d'.repeat(16), 'hex');
  return [rightBut(ground, { serial }), rightBut(ground, { serial })];
}
