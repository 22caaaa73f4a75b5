import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as example from './example.ts';
import { bare, sealed, WITH_CRC } from './example.ts';
import { DIALECTS_WITH_CRC, DIALECTS_WITHOUT_CRC, SWEDEN } from './example-dialects.ts';
import { TELEGRAM_BYTES_MAX } from './framer.ts';
import type { P1Keys } from './glo-keys.ts';
import { sealGlo } from './glo-seal.ts';
import { P1Reader, readTelegrams } from './reader.ts';
import { telegramSnapshot } from './snapshot.ts';
import type { P1Telegram } from './telegram.ts';

const SEED = 20_260_329;
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** A message and two lists that run over several lines. */
const WRAPPED = [
  ...SWEDEN,
  '0-0:96.13.0(4865',
  '6C6C6F)',
  '1-0:99.97.0(2)(0-0:96.7.19)(240102030405W)',
  '(0000000240*s)(240202030405W)(0000000301*s)',
];
const CHECKED = [...Object.values(WITH_CRC), ...Object.values(DIALECTS_WITH_CRC), WRAPPED].map((lines) =>
  bytes(sealed(lines)),
);
const ALL = [
  ...CHECKED,
  ...[example.DSMR_2_2, example.ISKRA, example.EASYMETER, ...Object.values(DIALECTS_WITHOUT_CRC)].map(
    (lines) => bytes(bare(lines)),
  ),
];

/** All telegrams that may come out, as JSON; a telegram that was hit may come out only as it was meant. */
const MEANT = new Set(CHECKED.map((telegram) => JSON.stringify(readTelegrams(telegram).telegrams[0])));

interface Heard {
  readonly events: string[];
  readonly noiseBytes: number;
  readonly heldBytesMost: number;
}

function listen(blocks: readonly Uint8Array[]): Heard {
  const events: string[] = [];
  const reader = new P1Reader({
    telegram: (telegram) => {
      telegramSnapshot(telegram, { epochSeconds: 1_774_000_000, offsetMinutes: 60 });
      events.push(JSON.stringify(telegram));
    },
    fault: (fault) => events.push(fault),
  });
  let heldBytesMost = 0;
  for (const block of blocks) {
    reader.feed(block);
    heldBytesMost = Math.max(heldBytesMost, reader.heldBytes);
  }
  reader.flush();
  return { events, noiseBytes: reader.noiseBytes, heldBytesMost };
}

/** What can happen on a cable: bytes change, are lost, are doubled, come from elsewhere. */
type Damage =
  | { readonly kind: 'set'; readonly at: number; readonly values: Uint8Array }
  | { readonly kind: 'lose'; readonly at: number; readonly length: number }
  | { readonly kind: 'insert'; readonly at: number; readonly values: Uint8Array };

const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const special = fc.constantFrom(...[...'/!()*.-:\r\n\0S0aF'].map((character) => character.charCodeAt(0)));
const values = fc.uint8Array({ minLength: 1, maxLength: 6 });
const specials = fc.array(special, { minLength: 1, maxLength: 3 }).map((codes) => Uint8Array.from(codes));
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: place, values: fc.oneof(values, specials) }),
  fc.record({ kind: fc.constant('lose' as const), at: place, length: fc.integer({ min: 1, max: 400 }) }),
  fc.record({ kind: fc.constant('insert' as const), at: place, values: fc.oneof(values, specials) }),
);

function damaged(stream: Buffer, hits: readonly Damage[]): Buffer {
  let result = stream;
  for (const hit of hits) {
    const at = Math.floor(hit.at * result.length);
    if (hit.kind === 'set') {
      result = Buffer.from(result);
      result.set(hit.values.subarray(0, result.length - at), at);
    } else {
      const rest = hit.kind === 'lose' ? at + hit.length : at;
      const inserted = hit.kind === 'insert' ? hit.values : new Uint8Array(0);
      result = Buffer.concat([result.subarray(0, at), inserted, result.subarray(rest)]);
    }
  }
  return result;
}

function inBlocks(stream: Buffer, sizes: readonly number[]): Buffer[] {
  const blocks: Buffer[] = [];
  for (let at = 0, turn = 0; at < stream.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    blocks.push(stream.subarray(at, at + size));
    at += size;
  }
  return blocks;
}

const streamOf = (source: readonly Buffer[]) =>
  fc.array(fc.constantFrom(...source), { minLength: 1, maxLength: 5 }).map((parts) => Buffer.concat(parts));
const blockSizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 8 });

describe('a damaged stream', () => {
  it('yields no reading but those that were sent whole', () => {
    fc.assert(
      fc.property(streamOf(CHECKED), fc.array(damage, { minLength: 1, maxLength: 3 }), (stream, hits) => {
        const { telegrams } = readTelegrams(damaged(stream, hits));
        for (const telegram of telegrams) expect(MEANT).toContain(JSON.stringify(telegram));
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });

  it('yields no reading of a telegram in which any one or two neighbouring bytes changed', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CHECKED),
        place,
        fc.uint8Array({ minLength: 1, maxLength: 2 }),
        (telegram, at, to) => {
          const hit = damaged(telegram, [{ kind: 'set', at, values: to }]);
          for (const read of readTelegrams(hit).telegrams) expect(MEANT).toContain(JSON.stringify(read));
        },
      ),
      { seed: SEED, numRuns: 3000 },
    );
  });

  it('loses no telegram behind the damaged one', () => {
    fc.assert(
      fc.property(fc.constantFrom(...CHECKED), fc.constantFrom(...CHECKED), place, (first, second, cut) => {
        const stream = Buffer.concat([first.subarray(0, Math.floor(cut * first.length)), second]);
        const meant = JSON.stringify(readTelegrams(second).telegrams[0]);
        expect(JSON.stringify(readTelegrams(stream).telegrams.at(-1))).toBe(meant);
      }),
      { seed: SEED, numRuns: 1500 },
    );
  });

  it('says the same in blocks of any size, byte by byte, and as a whole', () => {
    fc.assert(
      fc.property(streamOf(ALL), fc.array(damage, { maxLength: 4 }), blockSizes, (stream, hits, sizes) => {
        const sent = damaged(stream, hits);
        const { events, noiseBytes } = listen([sent]);
        expect(listen(inBlocks(sent, sizes))).toMatchObject({ events, noiseBytes });
        expect(listen(inBlocks(sent, [1]))).toMatchObject({ events, noiseBytes });
      }),
      { seed: SEED, numRuns: 150 },
    );
  });
});

describe('a damaged stream of encrypted frames', () => {
  const keys: P1Keys = { encryption: Buffer.alloc(16, 1), authentication: Buffer.alloc(16, 2) };
  const ENCRYPTED = CHECKED.map((text, index) =>
    sealGlo(text, { keys, title: Buffer.from('SIM00001'), counter: index }),
  );
  const VERIFIED = new Set(
    CHECKED.map((text) => JSON.stringify({ ...readTelegrams(text).telegrams[0], encryption: 'verified' })),
  );

  it('yields no reading but those that were sent whole, whichever and however many bits flipped', () => {
    const flips = fc.array(fc.record({ at: place, bit: fc.integer({ min: 0, max: 7 }) }), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(fc.constantFrom(...ENCRYPTED), flips, fc.boolean(), (frame, bits, unknown) => {
        const hit = Buffer.from(frame);
        for (const { at, bit } of bits) hit[Math.floor(at * hit.length)]! ^= 1 << bit;
        if (hit.equals(frame)) return;
        const reading = { keys: { ...keys, authenticationUnknown: unknown } };
        expect(readTelegrams(hit, reading).telegrams).toEqual([]);
      }),
      { seed: SEED, numRuns: 1500 },
    );
  });

  it('yields no reading but those that were sent whole, spliced with plain ones, in blocks of any size', () => {
    fc.assert(
      fc.property(
        streamOf([...ENCRYPTED, ...CHECKED]),
        fc.array(damage, { maxLength: 3 }),
        blockSizes,
        (stream, hits, sizes) => {
          const sent = damaged(stream, hits);
          const events: string[] = [];
          const reader = new P1Reader({ telegram: (one) => events.push(JSON.stringify(one)) }, { keys });
          for (const block of inBlocks(sent, sizes)) reader.feed(block);
          reader.flush();
          for (const event of events) expect(MEANT.has(event) || VERIFIED.has(event)).toBe(true);
          const whole = readTelegrams(sent, { keys }).telegrams.map((one) => JSON.stringify(one));
          expect(events).toEqual(whole);
        },
      ),
      { seed: SEED, numRuns: 300 },
    );
  });
});

describe('bytes of no meter', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 3000 }),
    fc.array(special, { maxLength: 3000 }).map((codes) => Uint8Array.from(codes)),
    fc
      .array(
        fc.constantFrom(
          '/ABC5\r\n',
          '1-0:1.8.1(',
          '0-1:24.2.1(',
          ')',
          '*kWh)',
          '(1',
          '\r\n',
          '!',
          '!12',
          '0-0:98.1.0(3)',
          '0-0:96.13.0(48',
          '7-0:23.1.0(1*m3)',
          '1.8.1(',
          'C.1.0(7)',
          '\u0002',
          '/',
        ),
        {
          maxLength: 400,
        },
      )
      .map((parts) => bytes(parts.join(''))),
  );

  it('break nothing, hold no more than one telegram, and say the same in any blocks', () => {
    fc.assert(
      fc.property(fc.array(noise, { minLength: 1, maxLength: 6 }), blockSizes, (parts, sizes) => {
        const whole = Buffer.concat(parts);
        const { events, noiseBytes, heldBytesMost } = listen([whole]);
        expect(heldBytesMost).toBeLessThan(TELEGRAM_BYTES_MAX);
        expect(listen(inBlocks(whole, sizes))).toMatchObject({ events, noiseBytes });
      }),
      { seed: SEED, numRuns: 400 },
    );
  });

  it('are never read as registers that a payload would not take', () => {
    const digits = fc.stringMatching(/^[0-9]{0,18}(\.[0-9]{0,12})?$/);
    const unit = fc.constantFrom('', '*kWh', '*Wh', '*MWh', '*m3', '*GJ', '*kvarh');
    const code = fc.constantFrom('1-0:1.8.1', '1-9:2.8.0', '1-0:3.8.0', '0-1:24.2.1');
    fc.assert(
      fc.property(code, digits, unit, (obis, number, suffix) => {
        const line = `${obis}(${number}${suffix})`;
        const { telegrams } = readTelegrams(bytes(sealed([...example.HEAT, line])));
        const snapshot = telegramSnapshot(telegrams[0] as P1Telegram, { epochSeconds: 0, offsetMinutes: 60 });
        for (const { value, scaler } of snapshot.meters.flatMap(({ registers }) => registers)) {
          expect(Number.isSafeInteger(value)).toBe(true);
          expect(Math.abs(scaler)).toBeLessThanOrEqual(9);
        }
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });
});
