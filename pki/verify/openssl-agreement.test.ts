import { generateKeyPairSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHesError } from '../../protocol/errors.ts';
import { deviceUri } from '../../protocol/identity.ts';
import { resigned } from '../testing/bad-certificates.ts';
import {
  authorityFromLeaf,
  DAY_MS,
  DEVICE,
  FLUVIUS,
  makeIssuing,
  makeLeaf,
  makeRoot,
  NOW_MS,
  ORES,
  OTHER_DEVICE,
} from '../testing/field.ts';
import { openssl, runOpenssl } from '../testing/openssl.ts';
import type { CertifyRequest, SigningAuthority } from '../x509/certify.ts';
import { makeCrl } from '../x509/crl.ts';
import { contextTag, DerCursor, der, derOid, derTrue, TAG } from '../x509/der.ts';
import { toPem } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';
import { createDeviceTrust } from './device-trust.ts';

/**
 * Chains drawn from a seed, right ones and wrong ones in any combination, before our verification and before `openssl
 * verify` in strict mode. What we believe it believes, but for one second; and where it believes what we do not, the row
 * below says why. HES_SEED is another draw.
 */
const SEED = Number(process.env['HES_SEED'] ?? 20_261_124);
const CHAINS = Number(process.env['HES_CHAINS'] ?? 400);

const root = makeRoot();
const strangeRoot = makeRoot({ subject: { commonName: 'urn:strange' } });
const issuing = makeIssuing(root, ORES);
const overdue = makeIssuing(root, ORES, { notBeforeMs: NOW_MS - 3 * DAY_MS, notAfterMs: NOW_MS - 1_000 });
const early = makeIssuing(root, ORES, { notBeforeMs: NOW_MS + 60_000 });
const foreign = makeIssuing(root, FLUVIUS);
const strange = makeIssuing(strangeRoot, ORES);
const below = makeIssuing(issuing, ORES, { subject: { commonName: 'urn:hes:below' } });
const noCa = authorityFromLeaf(makeLeaf(issuing, { subject: { commonName: OTHER_DEVICE } }));
const ISSUERS = { issuing, overdue, early, foreign, strange, below, noCa } as const;

type Changes = Partial<Omit<CertifyRequest, 'spki'>>;
/** What a chain can be, a dimension each; the first of each is right. */
const DIMENSIONS = {
  issuer: Object.keys(ISSUERS) as (keyof typeof ISSUERS)[],
  time: ['now', 'expired', 'not yet', 'last second', 'first second', 'a second late', 'a second early'],
  profile: ['deviceSign', 'deviceTls', 'deviceAgree', 'sealing', 'frontServer', 'personSign', 'issuing'],
  names: ['right', 'other device', 'other tenant', 'none'],
  list: ['not on it', 'revoked'],
  extension: ['none', 'unknown', 'unknown critical', 'twice'],
  key: ['P-256', 'P-384', 'RSA-2048'],
  damage: ['none', 'signature', 'content', 'signed by another'],
} as const;
type Dimension = keyof typeof DIMENSIONS;
type Chain = { readonly [Name in Dimension]: (typeof DIMENSIONS)[Name][number] };

/** Where OpenSSL believes what we refuse: by what is wrong with the chain, and why it cannot mind. */
const STRICTER: readonly {
  readonly what: Dimension;
  readonly values: readonly string[];
  readonly why: string;
}[] = [
  {
    what: 'profile',
    values: DIMENSIONS.profile.slice(1),
    why: 'it asks for no purpose unless told, and knows none of ours',
  },
  { what: 'names', values: DIMENSIONS.names.slice(1), why: 'it knows no tenants and no devices' },
  { what: 'issuer', values: ['foreign'], why: 'to it every CA under a root is as good as another' },
  {
    what: 'key',
    values: ['P-384', 'RSA-2048'],
    why: 'both are good keys; here one curve is one path through the code',
  },
];

/** Where we believe what OpenSSL refuses: one second, in which nobody else is nearer to RFC 5280 §4.1.2.5. */
const INCLUSIVE: { readonly what: Dimension; readonly values: readonly string[]; readonly why: string } = {
  what: 'time',
  values: ['last second'],
  why: 'both ends belong to the period; X509_cmp_time counts a time that is equal as over',
};

/** Most of a chain is right: one that is wrong in everything says little. */
const RIGHT_OF_A_TIME = 7;
const chain = fc.record(
  Object.fromEntries(
    Object.entries(DIMENSIONS).map(([name, values]) => [
      name,
      fc.oneof(
        { weight: RIGHT_OF_A_TIME, arbitrary: fc.constant<string>(values[0]!) },
        { weight: 1, arbitrary: fc.constantFrom<string[]>(...values) },
      ),
    ]),
  ),
) as unknown as fc.Arbitrary<Chain>;

const TIMES: Readonly<Record<Chain['time'], Changes>> = {
  now: {},
  expired: { notAfterMs: NOW_MS - DAY_MS / 2 },
  'not yet': { notBeforeMs: NOW_MS + DAY_MS },
  'last second': { notAfterMs: NOW_MS },
  'first second': { notBeforeMs: NOW_MS },
  'a second late': { notAfterMs: NOW_MS - 1_000 },
  'a second early': { notBeforeMs: NOW_MS + 1_000 },
};
const NAMES: Readonly<Record<Chain['names'], readonly string[]>> = {
  right: [deviceUri(ORES, DEVICE)],
  'other device': [deviceUri(ORES, OTHER_DEVICE)],
  'other tenant': [deviceUri(FLUVIUS, DEVICE)],
  none: [],
};

function make(chain: Chain): { readonly der: Uint8Array; readonly serial: string } {
  const by = ISSUERS[chain.issuer];
  const serial = randomBytes(16);
  serial[0] = 0x41;
  const leaf = makeLeaf(by, {
    profile: PROFILES[chain.profile],
    subject: { commonName: DEVICE },
    names: { uris: NAMES[chain.names] },
    notBeforeMs: NOW_MS - DAY_MS,
    notAfterMs: NOW_MS + 2 * DAY_MS,
    serial,
    ...TIMES[chain.time],
  });
  let made = leaf.der;
  const changes = [keyOf[chain.key], extensionOf[chain.extension]].filter((change) => change !== undefined);
  for (const change of changes) made = resigned(made, by, change);
  if (chain.damage === 'signed by another')
    made = resigned(made, foreign === by ? issuing : foreign, (own) => own);
  return { der: damagedBy(made, chain.damage), serial: serial.toString('hex') };
}

type Change = (elements: readonly Uint8Array[]) => readonly Uint8Array[];
/** RFC 5280 §4.1: the key is the element before the extensions. */
const KEY_AT = 6;
const keys = {
  'P-384': generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({
    type: 'spki',
    format: 'der',
  }),
  'RSA-2048': generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey.export({
    type: 'spki',
    format: 'der',
  }),
};
const keyOf: Readonly<Record<Chain['key'], Change | undefined>> = {
  'P-256': undefined,
  'P-384': (elements) => elements.with(KEY_AT, keys['P-384']),
  'RSA-2048': (elements) => elements.with(KEY_AT, keys['RSA-2048']),
};
const withExtensions =
  (change: (own: readonly Uint8Array[]) => readonly Uint8Array[]): Change =>
  (elements) => {
    const list = new DerCursor(elements.at(-1)!).enter(contextTag(3, 'constructed')).enter(TAG.sequence);
    const own: Uint8Array[] = [];
    while (!list.done) own.push(list.read().whole);
    return elements.with(-1, der(contextTag(3, 'constructed'), der(TAG.sequence, ...change(own))));
  };
const unknown = (...critical: readonly Uint8Array[]) =>
  der(TAG.sequence, derOid('1.2.3.4'), ...critical, der(TAG.octetString, der(TAG.sequence)));
const extensionOf: Readonly<Record<Chain['extension'], Change | undefined>> = {
  none: undefined,
  unknown: withExtensions((own) => [...own, unknown()]),
  'unknown critical': withExtensions((own) => [...own, unknown(derTrue)]),
  twice: withExtensions((own) => [...own, own[1]!]),
};

function damagedBy(bytes: Uint8Array, damage: Chain['damage']): Uint8Array {
  const altered = Uint8Array.from(bytes);
  if (damage === 'signature') altered[altered.length - 5]! ^= 1;
  // Within the serial number, which the signature covers.
  if (damage === 'content')
    altered[Buffer.from(bytes).indexOf(Buffer.from([TAG.integer, 16, 0x41])) + 5]! ^= 1;
  return altered;
}

const crlOf = (authority: SigningAuthority, serials: readonly string[]): Uint8Array =>
  makeCrl(authority, {
    number: 1n,
    thisUpdateMs: NOW_MS - DAY_MS,
    nextUpdateMs: NOW_MS + DAY_MS,
    entries: serials.map((serial) => ({ serial, atMs: NOW_MS - DAY_MS, reason: 'keyCompromise' })),
  });

/** All of them by one process: a name and whether it holds. */
function judgedByOpenssl(leaves: readonly Uint8Array[], lists: readonly Uint8Array[]): readonly boolean[] {
  const between = [issuing, overdue, early, foreign, strange, below, noCa];
  const names = leaves.map((_, at) => `leaf-${at}.pem`);
  const { text } = runOpenssl(
    ['verify', '-x509_strict', '-crl_check', '-auth_level', '2', '-attime', String(NOW_MS / 1_000)].concat(
      ['-CAfile', 'root.pem', '-untrusted', 'between.pem', '-CRLfile', 'lists.pem', '-verbose'],
      names,
    ),
    {
      'root.pem': root.certificatePem,
      'between.pem': between.map(({ certificatePem }) => certificatePem).join(''),
      'lists.pem': lists.map((list) => toPem('X509 CRL', list)).join(''),
      ...Object.fromEntries(leaves.map((leaf, at) => [names[at]!, toPem('CERTIFICATE', leaf)])),
    },
  );
  return names.map((name) => text.includes(`${name}: OK`));
}

describe.skipIf(!openssl)(`${CHAINS} chains (HES_SEED=${SEED} HES_CHAINS=${CHAINS}) (needs openssl)`, () => {
  const chains = [
    // One of each fault alone, and all right.
    ...Object.entries(DIMENSIONS).flatMap(([name, values]) =>
      values.map((value) => ({ ...right(), [name]: value })),
    ),
    ...fc.sample(chain, { seed: SEED, numRuns: CHAINS }),
  ] as readonly Chain[];
  const made = chains.map(make);
  const revoked = made.filter((_, at) => chains[at]!.list === 'revoked').map(({ serial }) => serial);
  const lists = [issuing, overdue, early, foreign, strange, below].map((authority) =>
    crlOf(authority, revoked),
  );
  const trust = createDeviceTrust({
    tenant: ORES,
    root: root.certificatePem,
    issuers: [issuing, overdue, early].map(({ certificatePem }) => ({
      tenant: ORES,
      certificate: certificatePem,
    })),
    crls: lists.slice(0, 3),
  });
  const verdicts = made.map(({ der: bytes }) => {
    try {
      trust.signer(bytes, { device: DEVICE, atMs: NOW_MS });
      return null;
    } catch (error) {
      if (!isHesError(error)) throw error;
      return error.code;
    }
  });
  const theirs = judgedByOpenssl(
    made.map(({ der: bytes }) => bytes),
    lists,
  );
  const wrongs = (chain: Chain): string[] =>
    (Object.keys(DIMENSIONS) as Dimension[])
      .filter((name) => chain[name] !== DIMENSIONS[name][0])
      .map((name) => `${name} ${chain[name]}`);

  it('are believed by us only where OpenSSL believes them, too', () => {
    const alone = chains.filter((_, at) => verdicts[at] === null && !theirs[at]);
    const { what, values } = INCLUSIVE;
    expect(alone.filter((one) => !values.includes(one[what])).map(wrongs)).toEqual([]);
    expect(alone.length).toBeGreaterThan(0);
    expect(verdicts.filter((verdict) => verdict === null).length).toBeGreaterThan(20);
  });

  it('are refused by us alone for the reasons of the table, of which each is needed', () => {
    const used = new Set<string>();
    const unexplained: string[][] = [];
    chains.forEach((chain, at) => {
      if (verdicts[at] === null || !theirs[at]) return;
      const rows = STRICTER.filter(({ what, values }) => values.includes(chain[what]));
      for (const { what } of rows) used.add(what);
      if (rows.length === 0) unexplained.push([verdicts[at]!, ...wrongs(chain)]);
    });
    expect(unexplained).toEqual([]);
    expect([...used].toSorted()).toEqual(STRICTER.map(({ what }) => what).toSorted());
  });

  it('are refused by both in good number', () => {
    const both = chains.filter((_, at) => verdicts[at] !== null && !theirs[at]);
    expect(both.length).toBeGreaterThan(CHAINS / 4);
  });
});

function right(): Chain {
  return Object.fromEntries(
    Object.entries(DIMENSIONS).map(([name, values]) => [name, values[0]]),
  ) as unknown as Chain;
}
