import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextToSend, type Waiting } from './order.ts';

const SEED = 20_261_206;
const open: Waiting = { priority: 1, signer: 'marco', counterName: 'breaker', counter: 10 };
const arm: Waiting = { priority: 0, signer: 'marco', counterName: 'breaker', counter: 11 };
const tariff: Waiting = { priority: 4, signer: 'marco', counterName: 'tariff', counter: 9 };

describe('the next command to send', () => {
  it('is none where none waits', () => {
    expect(nextToSend([])).toBeUndefined();
  });

  it('is an earlier one about the same thing by the same signer, though a later one is more urgent', () => {
    expect(nextToSend([tariff, arm, open])).toBe(open);
  });

  it('is the most urgent one where what came earlier is about something else or by somebody else', () => {
    expect(nextToSend([tariff, arm])).toBe(arm);
    expect(nextToSend([{ ...open, signer: 'ann' }, arm])).toBe(arm);
  });

  it('never makes another void, whatever waits', () => {
    const waiting = fc.record({
      priority: fc.nat(4),
      signer: fc.constantFrom('ann', 'bob'),
      counterName: fc.constantFrom('breaker', 'valve'),
      counter: fc.integer({ min: 1, max: 1_000 }),
    } satisfies { readonly [K in keyof Waiting]: fc.Arbitrary<Waiting[K]> });
    const unique = fc.uniqueArray(waiting, {
      maxLength: 12,
      selector: ({ signer, counterName, counter }) => `${signer} ${counterName} ${counter}`,
    });
    fc.assert(
      fc.property(unique, (all) => {
        let left: readonly Waiting[] = all;
        const last = new Map<string, number>();
        while (left.length > 0) {
          const next = nextToSend(left)!;
          const name = `${next.signer} ${next.counterName}`;
          expect(next.counter).toBeGreaterThan(last.get(name) ?? 0);
          last.set(name, next.counter);
          left = left.filter((other) => other !== next);
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});
