import { describe, expect, it } from 'vitest';
import { INNOCENT, type Judgement } from '../support/year-ledger.ts';
import { DAY_MS } from '../support/year-plan.ts';
import { liveYear } from '../support/year-run.ts';

/**
 * Does the judge of the year notice anything? A small year in which nothing is wrong, and then one fault at a time, in
 * the places where a fault would be: each time it must say so, and nothing else.
 */
const SMALL = { seed: 7, devices: 40, every: 28 };
const except = (judgement: Judgement, fault: keyof Judgement) => ({ ...judgement, [fault]: [] });

describe('the judge of the year', () => {
  it('finds nothing where nothing is wrong', async () => {
    expect((await liveYear(SMALL)).judgement).toEqual(INNOCENT);
  });

  it.each([
    ['that routers read', { routersReadEveryMs: DAY_MS }],
    ['that a front reads', { frontReadsEveryMs: DAY_MS }],
  ])('finds %s its lists too late', async (_, faults) => {
    const { judgement } = await liveYear(SMALL, faults);
    expect(judgement.acceptedLate.length).toBeGreaterThan(0);
    // What was believed too late is at the MDM, too.
    expect({ ...judgement, acceptedLate: [], invented: [] }).toEqual(INNOCENT);
  });

  it('finds the one reading that an MDM acknowledged and dropped', async () => {
    let at = 0;
    const { judgement } = await liveYear(SMALL, {
      mdmDrops() {
        at += 1;
        return at === 100;
      },
    });
    expect(judgement.lost).toHaveLength(1);
    expect(except(judgement, 'lost')).toEqual(INNOCENT);
  });

  it('finds the readings that nobody can open, where an old sealing key goes before its devices know the new one', async () => {
    const { judgement } = await liveYear(SMALL, { hastyRollOver: true });
    expect(judgement.lost.length).toBeGreaterThan(0);
    expect(except(judgement, 'lost')).toEqual(INNOCENT);
  });

  it('finds the devices that nobody believes any more, where an old issuing CA goes before they left it', async () => {
    const { judgement } = await liveYear(SMALL, { hastyCa: true });
    expect(judgement.lost.length).toBeGreaterThan(0);
    expect(judgement).toMatchObject({ twice: [], altered: [], invented: [], acceptedLate: [] });
  });
});
