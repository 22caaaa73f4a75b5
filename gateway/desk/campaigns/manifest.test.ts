import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COMMAND_TYPES, rowOf } from '../../../protocol/command/table.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { arbitraryMessage } from '../../../protocol/testing/cddl/generate.ts';
import { parseCddl } from '../../../protocol/testing/cddl/parse.ts';
import { validate } from '../../../protocol/testing/cddl/validate.ts';
import { samplePeople } from '../../../protocol/testing/command-samples.ts';
import type { CampaignId } from './id.ts';
import {
  CommandsDigest,
  decodeManifest,
  encodeManifest,
  type Manifest,
  signManifest,
  verifyManifest,
} from './manifest.ts';

/** docs/protocol/campaign.cddl and the code, held against each other both ways; and what a signature is bound to. */
const SEED = 20_261_212;
const source = ['identity', 'payload', 'envelope', 'command', 'campaign']
  .map((name) => readFileSync(new URL(`../../../docs/protocol/${name}.cddl`, import.meta.url), 'utf8'))
  .join('\n');
const rules = parseCddl(source);
const people = samplePeople('ann', 'bea');
const trust = (certificate: Uint8Array) => ({
  publicKey: people.keyOf(certificate),
  signer: { role: 'operator', person: 'ann' } as const,
});

const ORES = 'ores' as TenantId;
const plain: Manifest = {
  version: 1,
  tenant: ORES,
  type: 'tariff.set',
  count: 250_000,
  commands: new Uint8Array(32).fill(7),
  waves: [],
  errorLimitPermille: 0,
  waveSeconds: 60 * 86_400,
  notBefore: 1_796_112_000,
  expiry: 1_796_112_001,
  madeAtMs: 1,
  reason: null,
  parent: null,
};
const full: Manifest = {
  ...plain,
  waves: Array.from({ length: 20 }, (_, n) => n + 1),
  reason: 'é'.repeat(120),
  parent: 'ab'.repeat(16) as CampaignId,
};

const codeOf = (step: () => unknown): string => {
  try {
    step();
    return 'none';
  } catch (error) {
    return isHesError(error) ? error.code : String(error);
  }
};

describe('a manifest', () => {
  it('is what its CDDL says, and read back as it was', () => {
    for (const manifest of [plain, full, ...COMMAND_TYPES.map((type) => ({ ...plain, type }))]) {
      const bytes = encodeManifest(manifest);
      validate(rules, 'manifest', bytes);
      expect(decodeManifest(bytes)).toEqual({ ...manifest, commands: Buffer.from(manifest.commands) });
    }
    validate(rules, 'signed-manifest', signManifest(full, 'propose', people.signers.ann));
  });

  it('is read whatever the CDDL allows, and written back alike', () => {
    fc.assert(
      fc.property(arbitraryMessage(rules, 'manifest'), (bytes) => {
        expect(Buffer.from(encodeManifest(decodeManifest(bytes)))).toEqual(Buffer.from(bytes));
      }),
      { seed: SEED, numRuns: 100 },
    );
    // Every number of the command table is one that the file allows.
    expect(Math.max(...COMMAND_TYPES.map((type) => rowOf(type).number))).toBe(15);
  });

  it('is refused in any other form: members that say nothing, more of them, out of range, cut or too long', () => {
    const bytes = Buffer.from(encodeManifest(full));
    for (let length = 0; length < bytes.length; length += 1)
      expect(codeOf(() => decodeManifest(bytes.subarray(0, length)))).toBe('ERR_CAMPAIGN_MANIFEST');
    expect(codeOf(() => decodeManifest(Buffer.concat([bytes, Buffer.of(0)])))).toBe('ERR_CAMPAIGN_MANIFEST');
    expect(codeOf(() => decodeManifest(Buffer.alloc(2_000)))).toBe('ERR_CAMPAIGN_MANIFEST');
    for (const change of [
      { count: 0 },
      { count: 250_001 },
      { waves: [0] },
      { errorLimitPermille: 1_001 },
      { waveSeconds: 0 },
      { reason: '' },
      { commands: new Uint8Array(31) },
      { type: 'none' as never },
      { parent: 'x' as CampaignId },
    ])
      expect(codeOf(() => encodeManifest({ ...full, ...change }))).toBe('ERR_CAMPAIGN_MANIFEST');
  });

  it('is bound by its signature to its tenant and its part, bit by bit', () => {
    const signed = signManifest(full, 'propose', people.signers.ann);
    const check = (bytes: Uint8Array, tenant = ORES, part: 'propose' | 'approve' = 'propose') =>
      codeOf(() => verifyManifest({ signed: bytes, tenant, part, trust }));
    expect(check(signed)).toBe('none');
    expect(check(signed, 'resa' as TenantId)).toBe('ERR_ENVELOPE_SIGNATURE');
    expect(check(signed, ORES, 'approve')).toBe('ERR_ENVELOPE_SIGNATURE');
    for (let at = signed.length - 200; at < signed.length; at += 1) {
      const flipped = Uint8Array.from(signed);
      flipped[at]! ^= 1;
      expect(check(flipped)).toMatch(/^ERR_ENVELOPE_/);
    }
  });

  it('binds each command and its place', () => {
    const [a, b] = ['aa'.repeat(32), 'bb'.repeat(32)];
    const of = (...digests: string[]): string => {
      const sum = new CommandsDigest();
      for (const digest of digests) sum.add(digest);
      return Buffer.from(sum.end()).toString('hex');
    };
    expect(new Set([of(a, b), of(b, a), of(a), of(a, a), of(a, b, b)]).size).toBe(5);
  });
});
