import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHesError } from './errors.ts';
import type { TenantId } from './identity.ts';
import { NOTICE_BYTES_MAX, NOTICE_PAYLOAD_BYTES_MAX, NOTICE_REVOKED_MAX } from './limits.ts';
import { decodeNotice, encodeNotice, type Notice, signNotice, verifyNotice } from './notice.ts';
import { signEs256, signPayload } from './signed.ts';
import { arbitraryMessage } from './testing/cddl/generate.ts';
import { parseCddl } from './testing/cddl/parse.ts';
import { validate } from './testing/cddl/validate.ts';
import { SAMPLE_TENANT, sampleSigner } from './testing/samples.ts';

const SEED = 20_261_124;
const source = ['identity', 'notice']
  .map((name) => readFileSync(new URL(`../docs/protocol/${name}.cddl`, import.meta.url), 'utf8'))
  .join('\n');
const rules = parseCddl(source);

const certificate = (first: number): Uint8Array => new Uint8Array(600).fill(first);
const notice: Notice = {
  tenant: SAMPLE_TENANT,
  number: 1_796_112_000_001,
  sealing: certificate(1),
  officeRoot: certificate(2),
  officeIssuers: [certificate(3), certificate(4)],
  revokedPeople: [Uint8Array.of(0x41, 2, 3), new Uint8Array(20).fill(7)],
};
const { signer, publicKey } = sampleSigner();
const port = {
  certificate: signer.certificate,
  sign: (bytes: Uint8Array) => signEs256(bytes, signer.privateKey),
};
const signed = signNotice(notice, port);
const about = { tenant: SAMPLE_TENANT, publicKey };
const plain = (value: Notice): unknown => JSON.parse(JSON.stringify(value));

function codeOf(step: () => unknown): string {
  try {
    step();
    return 'none';
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.code;
  }
}

describe('a notice', () => {
  it('is what its file says, and is read back as it was', () => {
    validate(rules, 'notice', encodeNotice(notice));
    validate(rules, 'notice', encodeNotice({ ...notice, revokedPeople: [] }));
    validate(rules, 'signed-notice', signed);
    expect(plain(verifyNotice({ signed, ...about }))).toEqual(plain(decodeNotice(encodeNotice(notice))));
  });

  it('is taken as its file allows it', () => {
    let taken = 0;
    fc.assert(
      fc.property(arbitraryMessage(rules, 'notice'), (bytes) => {
        if (bytes.length > NOTICE_PAYLOAD_BYTES_MAX) return;
        expect(Buffer.from(encodeNotice(decodeNotice(bytes)))).toEqual(Buffer.from(bytes));
        taken += 1;
      }),
      { seed: SEED, numRuns: 200 },
    );
    expect(taken).toBeGreaterThan(50);
  });

  it('has room for everybody who was revoked beside four office CAs of usual size', () => {
    const full = {
      ...notice,
      officeIssuers: [3, 4, 5, 6].map(certificate),
      revokedPeople: Array.from({ length: NOTICE_REVOKED_MAX }, () => new Uint8Array(16).fill(0x55)),
    };
    expect(signNotice(full, port).length).toBeLessThan(NOTICE_BYTES_MAX);
  });

  it('beyond its bounds is neither made nor read', () => {
    const many = { ...notice, revokedPeople: Array(NOTICE_REVOKED_MAX + 1).fill(Uint8Array.of(1)) };
    expect(codeOf(() => encodeNotice(many))).toBe('ERR_NOTICE_SCHEMA');
    expect(codeOf(() => encodeNotice({ ...notice, officeIssuers: [] }))).toBe('ERR_NOTICE_SCHEMA');
    const large = { ...notice, officeIssuers: Array(4).fill(new Uint8Array(2_048)) };
    expect(codeOf(() => encodeNotice({ ...large, sealing: new Uint8Array(2_048) }))).toMatch(/^ERR_NOTICE_/);
    const huge = new Uint8Array(NOTICE_BYTES_MAX + 1);
    expect(codeOf(() => verifyNotice({ signed: huge, ...about }))).toBe('ERR_NOTICE_CBOR');
  });

  it('of a version that comes later says so, whatever follows', () => {
    const later = Buffer.from(encodeNotice(notice));
    later[2] = 2;
    expect(codeOf(() => decodeNotice(later))).toBe('ERR_NOTICE_VERSION');
  });
});

describe('a forged notice', () => {
  const verifying = (bytes: Uint8Array, tenant: TenantId = SAMPLE_TENANT): string =>
    codeOf(() => verifyNotice({ signed: bytes, tenant, publicKey }));

  it('that was altered in any bit does not hold', () => {
    fc.assert(
      fc.property(fc.nat(signed.length * 8 - 1), (bit) => {
        const altered = Buffer.from(signed);
        altered[bit >> 3]! ^= 1 << (bit & 7);
        expect(verifying(altered)).toMatch(/^ERR_(ENVELOPE_SIGNED|ENVELOPE_SIGNATURE)$/);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('by another key, of another tenant, or signed as something else does not hold', () => {
    const other = sampleSigner();
    const foreign = { ...port, sign: (bytes: Uint8Array) => signEs256(bytes, other.signer.privateKey) };
    expect(verifying(signNotice(notice, foreign))).toBe('ERR_ENVELOPE_SIGNATURE');
    expect(verifying(signed, 'fluvius' as TenantId)).toBe('ERR_ENVELOPE_SIGNATURE');
    const asUplink = signPayload(
      encodeNotice(notice),
      Buffer.from(`t/${SAMPLE_TENANT}/0123456789abcdef/up/index`),
      signer,
    );
    expect(verifying(asUplink)).toBe('ERR_ENVELOPE_SIGNATURE');
  });

  it('that names another tenant than it is signed for is none', () => {
    const lying = signPayload(
      encodeNotice({ ...notice, tenant: 'fluvius' as TenantId }),
      Buffer.from(`hes notice 1 ${SAMPLE_TENANT}`),
      signer,
    );
    expect(verifying(lying)).toBe('ERR_NOTICE_SCHEMA');
  });

  it('of any bytes throws nothing but errors of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(verifying(bytes)).toMatch(/^ERR_/);
        expect(codeOf(() => decodeNotice(bytes))).toMatch(/^none$|^ERR_NOTICE_/);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});
