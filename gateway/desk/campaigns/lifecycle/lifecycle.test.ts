import { describe, expect, it } from 'vitest';
import { isHesError } from '../../../../protocol/errors.ts';
import { judge, type WaveCounts, waveSizes } from './rules.ts';
import {
  ALL_CAMPAIGN_STATES,
  CAMPAIGN_CAUSES,
  CAMPAIGN_STATES,
  CAMPAIGN_TRANSITIONS,
  type CampaignState,
  nextCampaignState,
  stepCampaign,
} from './states.ts';

/** Every way from a state, as arrows. */
const ARROWS = ALL_CAMPAIGN_STATES.flatMap((from) =>
  CAMPAIGN_CAUSES.flatMap((cause) => {
    const to = nextCampaignState(from, cause);
    return to === undefined ? [] : [{ from, cause, to }];
  }),
);

/** All states that a walk from here can come to, and whether it came through a cause. */
function reachable(from: CampaignState, without: readonly string[] = []): Set<CampaignState> {
  const states = new Set([from]);
  for (const state of states)
    for (const arrow of ARROWS)
      if (arrow.from === state && !without.includes(arrow.cause)) states.add(arrow.to);
  return states;
}

describe('the life of a campaign', () => {
  it('never runs without the approval of a second person, on any path', () => {
    for (const state of reachable('uploading', ['campaign-approved']))
      expect(['uploading', 'awaiting-approval', 'stopped', 'expired']).toContain(state);
    expect(CAMPAIGN_TRANSITIONS['campaign-approved'].by).toBe('approver');
  });

  it('goes on after it stopped by itself only where an approver says so', () => {
    const ways = ARROWS.filter(({ from, to }) => from === 'halted' && !['stopping', 'stopped'].includes(to));
    expect(ways.map(({ cause }) => cause)).toEqual(['campaign-forgiven']);
    expect(CAMPAIGN_TRANSITIONS['campaign-forgiven'].by).toBe('approver');
  });

  it('leaves no terminal state, and comes to one from everywhere', () => {
    for (const state of ALL_CAMPAIGN_STATES) {
      const { terminal } = CAMPAIGN_STATES[state];
      expect(ARROWS.some(({ from }) => from === state)).toBe(!terminal);
      expect([...reachable(state)].some((end) => CAMPAIGN_STATES[end].terminal)).toBe(true);
    }
  });

  it('reaches every state, uses every cause, and lets something out of the queue only while it runs', () => {
    expect([...reachable('uploading')].sort()).toEqual([...ALL_CAMPAIGN_STATES].sort());
    expect(new Set(ARROWS.map(({ cause }) => cause))).toEqual(new Set(CAMPAIGN_CAUSES));
    expect(ALL_CAMPAIGN_STATES.filter((state) => !CAMPAIGN_STATES[state].holds)).toEqual(['running']);
  });

  it('says in which state something is not possible', () => {
    for (const state of ALL_CAMPAIGN_STATES)
      for (const cause of CAMPAIGN_CAUSES)
        try {
          expect(stepCampaign(state, cause)).toBe(nextCampaignState(state, cause));
        } catch (error) {
          expect(nextCampaignState(state, cause)).toBeUndefined();
          expect(isHesError(error, 'ERR_CAMPAIGN_STATE') && error.context['state']).toBe(state);
        }
  });
});

describe('waves', () => {
  it.each([
    [{ waves: [10, 100, 1_000], count: 100_000 }, [10, 100, 1_000, 98_890]],
    [{ waves: [10, 100], count: 110 }, [10, 100]],
    [{ waves: [10, 100], count: 60 }, [10, 50]],
    [{ waves: [], count: 7 }, [7]],
  ])('divide %j into %j', (given, sizes) => {
    expect(waveSizes(given)).toEqual(sizes);
  });

  const NONE = { ended: 0, failed: 0, silent: false };
  const wave = (counts: Partial<WaveCounts>): WaveCounts => ({
    wave: 0,
    size: 100,
    startedAtMs: 0,
    ready: 0,
    open: 0,
    done: 0,
    failed: 0,
    skipped: 0,
    ...counts,
  });
  const rules = { forgiven: NONE, limitPermille: 50, waveSeconds: 10, isLast: false, nowMs: 1 };

  it('halt as soon as the share of the whole is certain to be above the limit, and not at it', () => {
    expect(judge(wave({ open: 95, failed: 5 }), rules).kind).toBe('wait');
    expect(judge(wave({ open: 94, failed: 6 }), rules)).toEqual({ kind: 'halt', code: 'error-rate' });
    expect(judge(wave({ done: 95, failed: 5 }), rules).kind).toBe('next');
  });

  it('judge a large wave by what has ended, from a thousand on', () => {
    const large = { size: 98_890, ready: 0 };
    expect(judge(wave({ ...large, open: 98_840, failed: 50 }), rules).kind).toBe('wait');
    expect(judge(wave({ ...large, open: 98_839, failed: 51 }), rules).kind).toBe('halt');
    expect(judge(wave({ ...large, open: 96_890, done: 1_900, failed: 100 }), rules).kind).toBe('wait');
    expect(judge(wave({ ...large, open: 96_889, done: 1_900, failed: 101 }), rules).kind).toBe('halt');
  });

  it('take a limit of nothing at its word', () => {
    expect(judge(wave({ open: 99, failed: 1 }), { ...rules, limitPermille: 0 }).kind).toBe('halt');
    expect(judge(wave({ open: 100 }), { ...rules, limitPermille: 0 }).kind).toBe('wait');
  });

  it('do not count what was skipped, neither for nor against', () => {
    expect(judge(wave({ skipped: 80, open: 19, failed: 1 }), rules).kind).toBe('wait');
    expect(judge(wave({ skipped: 80, open: 18, failed: 2 }), rules).kind).toBe('halt');
    expect(judge(wave({ skipped: 100 }), rules).kind).toBe('next');
  });

  it('take meters that are silent for failed once their time is over, but for the last wave', () => {
    const over = { ...rules, nowMs: 10_000 };
    expect(judge(wave({ done: 95, open: 5 }), rules).kind).toBe('wait');
    expect(judge(wave({ done: 95, open: 5 }), over).kind).toBe('next');
    expect(judge(wave({ done: 94, open: 6 }), over)).toEqual({ kind: 'halt', code: 'silent' });
    expect(judge(wave({ done: 94, open: 6 }), { ...over, isLast: true }).kind).toBe('wait');
    expect(judge(wave({ done: 90, ready: 5, open: 5 }), over).kind).toBe('wait');
  });

  it('count anew once somebody let a halted campaign go on', () => {
    const forgiven = { ended: 20, failed: 6, silent: false };
    expect(judge(wave({ done: 14, failed: 6, open: 80 }), { ...rules, forgiven }).kind).toBe('wait');
    expect(judge(wave({ done: 14, failed: 10, open: 76 }), { ...rules, forgiven }).kind).toBe('wait');
    expect(judge(wave({ done: 14, failed: 11, open: 75 }), { ...rules, forgiven }).kind).toBe('halt');
    const silent = { ended: 50, failed: 0, silent: true };
    expect(judge(wave({ done: 50, open: 50 }), { ...rules, forgiven: silent, nowMs: 10_000 }).kind).toBe(
      'next',
    );
  });
});
