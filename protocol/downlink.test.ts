import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DESK_REFUSALS,
  type DeskAnswer,
  type DeskRefusal,
  DOWNLINK_ANSWERS,
  type DownlinkAnswer,
  decodeAwake,
  decodeDeskAnswer,
  decodeDownlink,
  decodeDownlinkAnswer,
  encodeAwake,
  encodeDeskAnswer,
  encodeDownlink,
  encodeDownlinkAnswer,
} from './downlink.ts';
import { isHesError } from './errors.ts';
import type { TenantId } from './identity.ts';
import { COMMAND_SEALED_BYTES_MAX } from './limits.ts';
import { arbitraryMessage } from './testing/cddl/generate.ts';
import { parseCddl } from './testing/cddl/parse.ts';
import { validate } from './testing/cddl/validate.ts';
import { SAMPLE_TENANT } from './testing/samples.ts';

const SEED = 20_261_210;
const rules = parseCddl(
  ['identity', 'downlink']
    .map((name) => readFileSync(new URL(`../docs/protocol/${name}.cddl`, import.meta.url), 'utf8'))
    .join('\n'),
);

const largest = encodeDownlink({ home: SAMPLE_TENANT, sealed: new Uint8Array(COMMAND_SEALED_BYTES_MAX) });
const answers = (Object.keys(DOWNLINK_ANSWERS) as DownlinkAnswer['kind'][]).map((kind) => ({ kind }));
const deskAnswers: readonly DeskAnswer[] = [
  { kind: 'taken' },
  { kind: 'later' },
  ...(Object.keys(DESK_REFUSALS) as DeskRefusal[]).map((code) => ({ kind: 'refused', code }) as const),
];

function codeOf(step: () => unknown): string {
  try {
    step();
    return 'none';
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.code;
  }
}

const READERS: readonly (readonly [string, (bytes: Uint8Array) => unknown, (value: never) => Uint8Array])[] =
  [
    ['downlink', decodeDownlink, encodeDownlink],
    ['downlink-answer', decodeDownlinkAnswer, encodeDownlinkAnswer],
    ['awake', decodeAwake, encodeAwake],
    ['desk-answer', decodeDeskAnswer, encodeDeskAnswer],
  ];

describe('what comes over the bus about commands', () => {
  it.each<[string, string, (bytes: Uint8Array) => unknown]>([
    ['nothing', '', decodeDownlink],
    ['a downlink that ends early', '8264 6f726573 43 0102', decodeDownlink],
    ['a downlink without a home', '81 40', decodeDownlink],
    ['a downlink of a tenant in capitals', '82 64 4f524553 40', decodeDownlink],
    ['a downlink with something behind it', '82 64 6f726573 40 00', decodeDownlink],
    ['an answer of an unknown kind', '81 04', decodeDownlinkAnswer],
    ['an answer as a number alone', '00', decodeDownlinkAnswer],
    ['a refusal without its code', '81 01', decodeDeskAnswer],
    ['a refusal with an unknown code', '82 01 06', decodeDeskAnswer],
    ['a taking with a code', '82 00 01', decodeDeskAnswer],
    ['an awake notice without a home', '80', decodeAwake],
  ])('is refused: %s', (_, hex, read) => {
    expect(codeOf(() => read(Buffer.from(hex.replaceAll(' ', ''), 'hex')))).toBe('ERR_DOWNLINK');
  });

  it('is not written beyond its bounds', () => {
    const sealed = new Uint8Array(COMMAND_SEALED_BYTES_MAX + 1);
    expect(codeOf(() => encodeDownlink({ home: SAMPLE_TENANT, sealed }))).toBe('ERR_DOWNLINK');
    expect(codeOf(() => encodeAwake({ home: 'NOBODY' as TenantId }))).toBe('ERR_DOWNLINK');
    expect(codeOf(() => encodeDeskAnswer({ kind: 'refused', code: 'mood' as DeskRefusal }))).toBe(
      'ERR_DOWNLINK',
    );
  });

  it('is met with an error of ours, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        for (const [, read] of READERS) expect(codeOf(() => read(bytes))).toMatch(/^(none|ERR_DOWNLINK)$/);
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  it('is read as it was written, and is what the file says', () => {
    validate(rules, 'downlink', largest);
    const { home, sealed } = decodeDownlink(largest);
    expect([home, sealed.length]).toEqual([SAMPLE_TENANT, COMMAND_SEALED_BYTES_MAX]);
    for (const answer of answers) {
      validate(rules, 'downlink-answer', encodeDownlinkAnswer(answer));
      expect(decodeDownlinkAnswer(encodeDownlinkAnswer(answer))).toEqual(answer);
    }
    validate(rules, 'awake', encodeAwake({ home: SAMPLE_TENANT }));
    expect(decodeAwake(encodeAwake({ home: SAMPLE_TENANT }))).toEqual({ home: SAMPLE_TENANT });
    for (const answer of deskAnswers) {
      validate(rules, 'desk-answer', encodeDeskAnswer(answer));
      expect(decodeDeskAnswer(encodeDeskAnswer(answer))).toEqual(answer);
    }
  });

  it.each(READERS)('is read and written back as the file allows it: %s', (name, read, write) => {
    fc.assert(
      fc.property(arbitraryMessage(rules, name), (bytes) => {
        expect(Buffer.from(write(read(bytes) as never))).toEqual(Buffer.from(bytes));
      }),
      { seed: SEED, numRuns: 150 },
    );
  });
});
