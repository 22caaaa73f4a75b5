import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAnswer } from './answer.ts';

const ASKED = new Set(['a/ores/1', 'a/ores/2']);
const read = (answer: unknown) => readAnswer(JSON.stringify(answer), ASKED);
const SEED = 4711;

describe('an MDM answer', () => {
  it.each([['not JSON at all'], ['[]'], ['{}'], ['null'], ['{"results":{}}'], ['{"results":'], ['']])(
    'is none: %s',
    (text) => {
      expect(readAnswer(text, ASKED)).toBeUndefined();
    },
  );

  it.each([
    ['nothing', []],
    ['a record that nobody asked about', [{ id: 'b/ores/9', verdict: 'accepted' }]],
    ['a verdict that nobody knows', [{ id: 'a/ores/1', verdict: 'perhaps' }]],
    ['no verdict', [{ id: 'a/ores/1' }]],
    ['an id of another type', [{ id: 1, verdict: 'accepted' }]],
    ['no object', ['a/ores/1', null, 7]],
    ['a name that every object has', [{ id: '__proto__', verdict: 'accepted' }]],
  ])('acknowledges nothing by saying %s', (_, results) => {
    expect(read({ results })?.size).toBe(0);
  });

  it('acknowledges nothing by two different words on one record', () => {
    const results = [
      { id: 'a/ores/1', verdict: 'accepted' },
      { id: 'a/ores/1', verdict: 'rejected', code: 'schema' },
    ];
    expect(read({ results })?.size).toBe(0);
  });

  it('takes the same word twice for one', () => {
    const results = [
      { id: 'a/ores/1', verdict: 'accepted' },
      { id: 'a/ores/1', verdict: 'accepted' },
    ];
    expect(read({ results })?.get('a/ores/1')).toEqual({ verdict: 'accepted' });
  });

  it('names a rejection only by a plain word: a reading or a line break in it goes no further', () => {
    const results = [{ id: 'a/ores/1', verdict: 'rejected', code: 'EAN 541448820000000008\nis wrong' }];
    expect(read({ results })?.get('a/ores/1')).toEqual({ verdict: 'rejected', code: 'unnamed' });
  });

  it('reads each verdict', () => {
    const results = [
      { id: 'a/ores/1', verdict: 'rejected', code: 'schema' },
      { id: 'a/ores/2', verdict: 'retry', seconds: 30 },
    ];
    expect([...read({ results })!.values()]).toEqual([
      { verdict: 'rejected', code: 'schema' },
      { verdict: 'retry', seconds: 30 },
    ]);
    expect(read({ results: [{ id: 'a/ores/1', verdict: 'retry', seconds: -1 }] })?.get('a/ores/1')).toEqual({
      verdict: 'retry',
      seconds: null,
    });
  });

  it('never throws, and never speaks of what was not asked, whatever it is', () => {
    const entry = fc.record(
      {
        id: fc.oneof(fc.constantFrom(...ASKED, '__proto__'), fc.string(), fc.anything()),
        verdict: fc.oneof(fc.constantFrom('accepted', 'duplicate', 'rejected', 'retry'), fc.anything()),
        code: fc.anything(),
        seconds: fc.anything(),
      },
      { requiredKeys: [] },
    );
    const answer = fc.oneof(
      fc.string(),
      fc.json(),
      fc.record({ results: fc.array(fc.oneof(entry, fc.anything())) }).map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(answer, (text) => {
        for (const id of readAnswer(String(text), ASKED)?.keys() ?? []) expect(ASKED.has(id)).toBe(true);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });
});
