import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter, RECORD_BYTES_MAX } from './byte-writer.ts';
import { decimal } from './decimal.ts';

describe('the byte writer', () => {
  it('refuses to grow without end', () => {
    const writer = new ByteWriter();
    expect(() => writer.text('x'.repeat(RECORD_BYTES_MAX + 1))).toThrow(RangeError);
    writer.clear();
    writer.text('still usable');
    expect(writer.take().toString()).toBe('still usable');
  });

  it('prints numbers as decimal does', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer(), fc.nat(99_999), fc.maxSafeInteger()),
        fc.integer({ min: -18, max: 6 }),
        (value, exponent) => {
          const writer = new ByteWriter();
          writer.decimal(value, exponent);
          expect(writer.take().toString()).toBe(decimal(value, exponent));
        },
      ),
      { seed: 7, numRuns: 500 },
    );
  });

  it('keeps records apart, whatever their sizes, and forgets what was not finished', () => {
    const writer = new ByteWriter();
    const sizes = fc.array(fc.record({ size: fc.nat(40_000), finished: fc.boolean() }), { maxLength: 40 });
    fc.assert(
      fc.property(sizes, (records) => {
        const taken: { record: Buffer; text: string }[] = [];
        for (const [at, { size, finished }] of records.entries()) {
          const text = String.fromCharCode(65 + (at % 26)).repeat(size);
          writer.text(text.slice(0, size >> 1));
          writer.fill(1_000, () => -1);
          writer.ready(Buffer.from(text.slice(size >> 1)));
          if (finished) taken.push({ record: writer.take(), text });
          else writer.clear();
        }
        for (const { record, text } of taken) expect(record.toString() === text).toBe(true);
      }),
      { seed: 8, numRuns: 60 },
    );
  });
});
