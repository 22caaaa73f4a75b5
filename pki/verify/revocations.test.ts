import { describe, expect, it } from 'vitest';
import { DAY_MS, FLUVIUS, makeIssuing, makeLeaf, makeRoot, NOW_MS, ORES } from '../testing/field.ts';
import { openssl, runOpenssl } from '../testing/openssl.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { makeCrl, parseCrl } from '../x509/crl.ts';
import { toPem } from '../x509/pem.ts';
import { type PinnedIssuer, pinAuthorities } from './anchors.ts';
import { CRL_GRACE_MS_MAX, checkRevocation, loadRevocations } from './revocations.ts';

const root = makeRoot();
const ores = makeIssuing(root, ORES);
const fluvius = makeIssuing(root, FLUVIUS);
const issuers: PinnedIssuer[] = [
  { tenant: ORES, certificate: ores.certificatePem },
  { tenant: FLUVIUS, certificate: fluvius.certificatePem },
];
const { authorities } = pinAuthorities({ root: root.certificatePem, issuers });
const code = (name: string) => expect.objectContaining({ code: name });
const revoked = (serial: string) => ({ serial, atMs: NOW_MS, reason: 'keyCompromise' as const });
const listOf = (authority: typeof ores, serials: readonly string[], number = 1n) =>
  makeCrl(authority, {
    number,
    thisUpdateMs: NOW_MS - DAY_MS,
    nextUpdateMs: NOW_MS + DAY_MS,
    entries: serials.map(revoked),
  });
const oresId = ores.certificate.subjectKeyId!;
const fluviusId = fluvius.certificate.subjectKeyId!;

describe('revocation lists', () => {
  it.each([
    { name: 'of a CA that is not pinned', lists: [listOf(makeIssuing(root, ORES), [])] },
    {
      name: 'that another CA signed in the name of a pinned one',
      lists: [listOf({ ...fluvius, certificate: ores.certificate }, ['4f'])],
    },
    { name: 'of which there are two of one CA', lists: [listOf(ores, []), listOf(ores, ['4f'], 2n)] },
    {
      name: 'with a bit changed',
      lists: [
        (() => {
          const list = Buffer.from(listOf(ores, ['4f4f4f4f']));
          list[list.indexOf('4f4f4f4f', 0, 'hex')] = 0x4e;
          return list;
        })(),
      ],
    },
  ])('are refused $name', ({ lists }) => {
    expect(() => loadRevocations(lists, authorities)).toThrow(code('ERR_TRUST_CRL'));
  });

  it('are refused when they are older than those in use, or when one has gone missing', () => {
    const inUse = loadRevocations([listOf(ores, ['4f'], 5n), listOf(fluvius, [])], authorities);
    expect(() =>
      loadRevocations([listOf(ores, [], 4n), listOf(fluvius, [])], authorities, { previous: inUse }),
    ).toThrow(code('ERR_TRUST_CRL'));
    expect(() => loadRevocations([listOf(ores, ['4f'], 6n)], authorities, { previous: inUse })).toThrow(
      code('ERR_TRUST_CRL'),
    );
  });

  it('hold for the CA that made them only', () => {
    const list = loadRevocations([listOf(ores, ['4f01', '50']), listOf(fluvius, ['51'])], authorities);
    expect(list.size).toBe(3);
    expect(list.has(oresId, '4f01')).toBe(true);
    expect(list.has(fluviusId, '4f01')).toBe(false);
    expect(list.has(fluviusId, '51')).toBe(true);
  });

  it('are read from PEM, empty ones too', () => {
    const list = loadRevocations([toPem('X509 CRL', listOf(ores, []))], authorities);
    expect(list.size).toBe(0);
    expect(list.nextUpdateMs(oresId)).toBe(NOW_MS + DAY_MS);
    expect(list.nextUpdateMs(fluviusId)).toBeUndefined();
  });

  it('of 100,000 certificates are made and read', () => {
    const serials = Array.from({ length: 100_000 }, (_, at) => (0x40000000 + at).toString(16));
    const list = loadRevocations([listOf(ores, serials)], authorities);
    expect(list.size).toBe(100_000);
    expect(list.has(oresId, serials[99_999]!)).toBe(true);
  });

  it.skipIf(!openssl)('of 100,000 certificates are read and used by openssl (needs openssl)', () => {
    const bad = makeLeaf(ores);
    const serials = Array.from({ length: 99_999 }, (_, at) => (0x40000000 + at).toString(16));
    const crl = toPem('X509 CRL', listOf(ores, [...serials, parseCertificate(bad.der).serial]));
    const files = {
      'root.pem': root.certificatePem,
      'ca.pem': ores.certificatePem,
      'crl.pem': crl,
      'bad.pem': bad.pem,
      'good.pem': makeLeaf(ores).pem,
    };
    const shown = runOpenssl(['crl', '-in', 'crl.pem', '-noout', '-verify', '-CAfile', 'ca.pem'], files);
    expect(shown.ok, shown.text).toBe(true);
    const verify = (leaf: string) =>
      runOpenssl(
        [
          'verify',
          '-x509_strict',
          '-crl_check',
          '-attime',
          String(NOW_MS / 1000),
          '-CAfile',
          'root.pem',
        ].concat(['-untrusted', 'ca.pem', '-CRLfile', 'crl.pem', leaf]),
        files,
      );
    expect(verify('good.pem')).toMatchObject({ ok: true });
    expect(verify('bad.pem').text).toContain('certificate revoked');
  });

  it('count beyond their next update for as long as was said, and no longer', () => {
    const HOUR_MS = 3_600_000;
    const graceMs = 12 * HOUR_MS;
    const list = loadRevocations([listOf(ores, ['4f'])], authorities, { graceMs });
    const next = loadRevocations([listOf(ores, ['4f'], 2n)], authorities, { previous: list });
    for (const lists of [list, next]) {
      const ask = (serial: string, hours: number) => () =>
        checkRevocation(lists, oresId, serial, NOW_MS + DAY_MS + hours * HOUR_MS);
      expect(ask('50', 12)).not.toThrow();
      expect(ask('50', 12.01)).toThrow(code('ERR_TRUST_CRL_STALE'));
      expect(ask('4f', 12)).toThrow(code('ERR_TRUST_REVOKED'));
    }
    for (const wrong of [-1, Number.NaN, CRL_GRACE_MS_MAX + 1])
      expect(() => loadRevocations([], authorities, { graceMs: wrong })).toThrow(RangeError);
  });

  it.each(['', '0', '4', '004f', 'zz', '4F', '00'.repeat(20), '4f'.repeat(21)])(
    'are not made with the serial number "%s"',
    (serial) => {
      expect(() => listOf(ores, [serial])).toThrow(code('ERR_PKI_DAMAGED'));
    },
  );

  it('give back what was put in', () => {
    const parsed = parseCrl(listOf(ores, ['7f', '0102'], 300n));
    expect(parsed.number).toBe(300n);
    expect(parsed.entries.map(({ serial, reason }) => [serial, reason])).toEqual([
      ['7f', 'keyCompromise'],
      ['0102', 'keyCompromise'],
    ]);
  });

  it.skipIf(!openssl)('tell openssl each reason, and the date of invalidity (needs openssl)', () => {
    const names = {
      keyCompromise: 'Key Compromise',
      affiliationChanged: 'Affiliation Changed',
      superseded: 'Superseded',
      cessationOfOperation: 'Cessation Of Operation',
      privilegeWithdrawn: 'Privilege Withdrawn',
    } as const;
    const reasons = Object.keys(names) as (keyof typeof names)[];
    const invalidSinceMs = Date.UTC(2026, 0, 2, 3, 4, 5);
    const entries = reasons.flatMap((reason, at) => [
      { serial: `4f0${at}`, atMs: NOW_MS, reason },
      { serial: `4f1${at}`, atMs: NOW_MS, reason, invalidSinceMs },
    ]);
    const bare = { serial: '4f20', atMs: NOW_MS, reason: 'unspecified' as const, invalidSinceMs };
    const list = makeCrl(ores, {
      number: 1n,
      thisUpdateMs: NOW_MS,
      nextUpdateMs: NOW_MS + DAY_MS,
      entries: [...entries, bare],
    });
    expect(parseCrl(list).entries).toEqual([...entries, bare]);
    const { text } = runOpenssl(['crl', '-in', 'crl.pem', '-noout', '-text'], {
      'crl.pem': toPem('X509 CRL', list),
    });
    for (const name of Object.values(names)) expect(text.split(name)).toHaveLength(3);
    expect(text.match(/Invalidity Date:\s+Jan {2}2 03:04:05 2026 GMT/g)).toHaveLength(reasons.length + 1);
  });

  it.skipIf(!openssl)('mean the same to openssl verify -crl_check (needs openssl)', () => {
    const [good, bad] = [makeLeaf(ores), makeLeaf(ores)];
    const crl = listOf(ores, [parseCertificate(bad.der).serial]);
    const verify = (leaf: typeof good, list = crl) =>
      runOpenssl(
        ['verify', '-x509_strict', '-crl_check', '-attime', String(NOW_MS / 1000)].concat([
          '-CAfile',
          'root.pem',
          '-untrusted',
          'ca.pem',
          '-CRLfile',
          'crl.pem',
          'leaf.pem',
        ]),
        {
          'root.pem': root.certificatePem,
          'ca.pem': ores.certificatePem,
          'crl.pem': toPem('X509 CRL', list),
          'leaf.pem': leaf.pem,
        },
      );
    expect(verify(good)).toMatchObject({ ok: true });
    expect(verify(bad).text).toContain('certificate revoked');
    expect(verify(good, listOf({ ...fluvius, certificate: ores.certificate }, [])).ok).toBe(false);
    const shown = runOpenssl(['crl', '-in', 'crl.pem', '-noout', '-text'], {
      'crl.pem': toPem('X509 CRL', crl),
    });
    expect(shown.text).toMatch(/CRL Number:\s+1\s/);
    expect(shown.text).toContain('Key Compromise');
  });
});
