/**
 * What the life of certificates costs beside the bare operations of node:crypto in it: making them, believing them, and
 * revocation lists of a hundred thousand.
 */
import { randomBytes, sign, verify } from 'node:crypto';
import { DAY_MS, DEVICE, makeIssuing, makeLeaf, makeRoot, NOW_MS, ORES } from '../pki/testing/field.ts';
import { pinAuthorities } from '../pki/verify/anchors.ts';
import { createDeviceTrust } from '../pki/verify/device-trust.ts';
import { loadRevocations } from '../pki/verify/revocations.ts';
import { certify, newKeyPair } from '../pki/x509/certify.ts';
import { makeCrl } from '../pki/x509/crl.ts';
import { PROFILES } from '../pki/x509/profiles.ts';
import { deviceUri } from '../protocol/identity.ts';
import type { Bench } from './lib/bench.ts';
import { median, round } from './lib/statistics.ts';

const FULL = { turns: 20, each: 500, entries: 100_000, lists: 7 } as const;
const QUICK = { turns: 2, each: 20, entries: 2_000, lists: 2 } as const;
const WARM_TURNS = 2;
const SERIAL_BYTES = 16;
const MIB = 2 ** 20;

/** Microseconds by the clock for each of so many: what is in the cache is too short for the kernel to count its CPU. */
function cost(each: number, work: (at: number) => unknown): number {
  return (
    (clockMs(() => {
      for (let at = 0; at < each; at++) work(at);
    }) *
      1_000) /
    each
  );
}

function clockMs(work: () => unknown): number {
  const startedMs = performance.now();
  work();
  return performance.now() - startedMs;
}

/** What is held outside the heap: a list's serials are in buffers. */
const bufferMib = (): number => process.memoryUsage().arrayBuffers / MIB;

function certificates(turns: number, each: number) {
  const root = makeRoot();
  const issuing = makeIssuing(root, ORES);
  const { spki } = newKeyPair();
  const request = {
    profile: PROFILES.deviceSign,
    subject: { commonName: DEVICE },
    names: { uris: [deviceUri(ORES, DEVICE)] },
    spki,
    notBeforeMs: NOW_MS - DAY_MS,
  };
  const leaves = Array.from({ length: each }, () => makeLeaf(issuing).der);
  const tbs = leaves[0]!;
  const signature = sign('sha256', tbs, issuing.privateKey);
  const publicKey = issuing.certificate;
  const key = pinAuthorities({
    root: root.certificatePem,
    issuers: [{ tenant: ORES, certificate: issuing.certificatePem }],
  }).authorities.get(publicKey.subjectKeyId!)!.publicKey;
  const open = () =>
    createDeviceTrust({
      tenant: ORES,
      root: root.certificatePem,
      issuers: [{ tenant: ORES, certificate: issuing.certificatePem }],
    });
  const known = open();
  const sent = { device: DEVICE, atMs: NOW_MS };
  const contenders = {
    signature: () => cost(each, () => sign('sha256', tbs, issuing.privateKey)),
    issued: () => cost(each, () => certify(issuing, request)),
    withKey: () => cost(each, () => certify(issuing, { ...request, spki: newKeyPair().spki })),
    verification: () => cost(each, () => verify('sha256', tbs, key, signature)),
    cold: () => {
      const trust = open();
      return cost(each, (at) => trust.signer(leaves[at]!, sent));
    },
    cached: () => cost(each, (at) => known.signer(leaves[at]!, sent)),
  };
  for (const leaf of leaves) known.signer(leaf, sent);
  const costs = Object.fromEntries(Object.keys(contenders).map((name) => [name, [] as number[]])) as Record<
    keyof typeof contenders,
    number[]
  >;
  for (let turn = -WARM_TURNS; turn < turns; turn++)
    for (const [name, run] of Object.entries(contenders)) {
      const measured = run();
      if (turn >= 0) costs[name as keyof typeof contenders].push(measured);
    }
  return costs;
}

function lists(count: number, size: number) {
  const root = makeRoot();
  const issuing = makeIssuing(root, ORES);
  const { authorities } = pinAuthorities({
    root: root.certificatePem,
    issuers: [{ tenant: ORES, certificate: issuing.certificatePem }],
  });
  const entries = Array.from({ length: size }, (_, at) => {
    const serial = randomBytes(SERIAL_BYTES);
    serial[0] = (serial[0]! & 0x3f) | 0x40;
    return { serial: serial.toString('hex'), atMs: NOW_MS - at * 1_000, reason: 'keyCompromise' as const };
  });
  const madeMs: number[] = [];
  const loadedMs: number[] = [];
  let bytes = 0;
  let heldMib = 0;
  for (let at = 0; at < count; at++) {
    let list: Uint8Array = new Uint8Array();
    madeMs.push(
      clockMs(() => {
        list = makeCrl(issuing, {
          number: BigInt(at + 1),
          thisUpdateMs: NOW_MS,
          nextUpdateMs: NOW_MS + DAY_MS,
          entries,
        });
      }),
    );
    bytes = list.length;
    const before = bufferMib();
    loadedMs.push(clockMs(() => loadRevocations([list], authorities)));
    heldMib = Math.max(heldMib, bufferMib() - before);
  }
  return { madeMs, loadedMs, bytes, heldMib };
}

export const bench: Bench = {
  what: 'Certificates made and believed beside bare ES256, and revocation lists of a hundred thousand.',

  run({ quick, progress }) {
    const { turns, each, entries, lists: count } = quick ? QUICK : FULL;
    progress('certificates');
    const costs = certificates(turns, each);
    progress('revocation lists');
    const { madeMs, loadedMs, bytes, heldMib } = lists(count, entries);
    const of = (name: keyof typeof costs): number => median(costs[name]);
    const aSecond = (name: keyof typeof costs): number => round(1_000_000 / of(name), 0);
    return Promise.resolve({
      ratios: [
        {
          name: 'certificates issued to bare ES256 signatures',
          value: round(of('signature') / of('issued'), 2),
        },
        {
          name: 'a signer met for the first time to a bare ES256 verification',
          value: round(of('verification') / of('cold'), 2),
        },
        {
          name: 'a signer in the cache to one met for the first time',
          value: round(of('cold') / of('cached'), 0),
        },
      ],
      figures: [
        { name: 'bare ES256 signatures', value: aSecond('signature'), unit: 'a second, one core' },
        { name: 'certificates issued', value: aSecond('issued'), unit: 'a second, one core' },
        { name: 'the same with a fresh key pair', value: aSecond('withKey'), unit: 'a second, one core' },
        { name: 'signing certificate verified, cold', value: round(of('cold'), 1), unit: 'µs' },
        { name: 'signing certificate verified, cached', value: round(of('cached'), 2), unit: 'µs' },
        {
          name: `list of ${entries.toLocaleString('en')}: made`,
          value: round(median(madeMs), 0),
          unit: 'ms',
        },
        {
          name: `list of ${entries.toLocaleString('en')}: loaded`,
          value: round(median(loadedMs), 0),
          unit: 'ms',
        },
        { name: `list of ${entries.toLocaleString('en')}: size`, value: round(bytes / MIB, 2), unit: 'MiB' },
        {
          name: `list of ${entries.toLocaleString('en')}: held in memory`,
          value: round(heldMib, 2),
          unit: 'MiB',
        },
      ],
      absent: [],
      notes: [
        'A certificate is written, signed and not verified again; loading a list reads each entry, checks its signature and its issuer.',
        'Enrolments over EST have a benchmark of their own (est).',
      ],
      details: { each, costs, madeMs, loadedMs },
    });
  },
};
