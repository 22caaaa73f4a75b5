import { describe, expect, it } from 'vitest';
import { RESULT_CODES, type ResultCode } from '../../../protocol/command/codes.ts';
import { COMMAND_TYPES, rowOf } from '../../../protocol/command/table.ts';
import { isHesError } from '../../../protocol/errors.ts';
import { seededRandom } from '../../runtime/random.ts';
import { type Course, causeOfOutcome, causeOfTime, RETRY_RULE, retryAtMs } from './rules.ts';
import { ALL_STATES, type CommandState, isTerminal, OPEN_STATES, TERMINAL_STATES } from './states.ts';
import { arrows, CAUSES, nextState, step, TRANSITIONS } from './transitions.ts';

/** Every path from `proposed` without a circle, as the states and causes that it takes. */
function* paths(
  from: CommandState = 'proposed',
  seen: readonly CommandState[] = ['proposed'],
  causes: readonly string[] = [],
): Generator<{ readonly states: readonly CommandState[]; readonly causes: readonly string[] }> {
  yield { states: seen, causes };
  for (const cause of CAUSES) {
    const to = nextState(from, cause);
    if (to !== undefined && !seen.includes(to)) yield* paths(to, [...seen, to], [...causes, cause]);
  }
}
const everyPath = [...paths()];

describe('the life of a command', () => {
  it('has no way out of a terminal state, and a way to one from every other', () => {
    for (const [from] of arrows()) expect(isTerminal(from)).toBe(false);
    const ends = new Set<CommandState>(TERMINAL_STATES);
    for (let grew = true; grew; ) {
      grew = false;
      for (const [from, , to] of arrows())
        if (ends.has(to) && !ends.has(from)) {
          ends.add(from);
          grew = true;
        }
    }
    expect([...ends].sort()).toEqual([...ALL_STATES].sort());
  });

  it('reaches every state, and comes back to none of before it was proposed', () => {
    const reached = new Set(everyPath.flatMap(({ states }) => states));
    expect(reached.size).toBe(ALL_STATES.length);
    expect(arrows().filter(([, , to]) => (to as CommandState) === 'proposed')).toEqual([]);
  });

  it('takes no path with two terminal states', () => {
    for (const { states } of everyPath)
      expect(states.filter((state) => isTerminal(state)).length).toBeLessThanOrEqual(1);
  });

  it('is executed by nothing but a device, and never without having been queued', () => {
    expect(arrows().filter(([, , to]) => to === 'executed')).toEqual([
      ['queued', 'executed', 'executed'],
      ['sent', 'executed', 'executed'],
    ]);
    expect(TRANSITIONS.executed.by).toBe('device');
    for (const { states } of everyPath.filter((path) => path.states.at(-1) === 'executed'))
      expect(states).toContain('queued');
  });

  it('is sent only from the queue, and what was sent is never cancelled nor expired', () => {
    expect(arrows().filter(([, , to]) => to === 'sent')).toEqual([['queued', 'dispatched', 'sent']]);
    for (const cause of ['cancelled', 'expired', 'guarded'] as const)
      expect(nextState('sent', cause)).toBeUndefined();
  });

  it('passes by a second signature from awaiting-approval, whoever releases', () => {
    const leaving = arrows().filter(([from, , to]) => from === 'awaiting-approval' && to === 'queued');
    expect(leaving).toEqual([['awaiting-approval', 'approved', 'queued']]);
  });

  it('names the state where a step is not possible', () => {
    try {
      step('sent', 'cancelled');
      expect.unreachable();
    } catch (error) {
      expect(isHesError(error, 'ERR_DESK_STATE') && error.context).toEqual({
        state: 'sent',
        cause: 'cancelled',
      });
    }
  });
});

const NOW_MS = 1_796_112_000_000;
const course = (change: Partial<Course> = {}): Course => ({
  type: 'p1.set',
  state: 'sent',
  attempts: 1,
  expiry: NOW_MS / 1_000 + 3_600,
  answerDueMs: NOW_MS + 60_000,
  ...change,
});
const answers = { rule: RETRY_RULE, nowMs: NOW_MS };

describe('an answer', () => {
  it('of failure is tried again for the codes of its row alone, whatever the command', () => {
    for (const type of COMMAND_TYPES)
      for (const code of Object.keys(RESULT_CODES) as ResultCode[]) {
        const { state } = RESULT_CODES[code];
        const cause = causeOfOutcome(course({ type }), { state, code }, answers);
        if (state === 'refused') expect(cause).toBe('refused');
        else expect(cause).toBe(rowOf(type).retryable.includes(code) ? 'retry' : 'failed');
      }
  });

  it('is final after the last attempt, and when the validity is over', () => {
    const busy = { state: 'failed', code: 'busy' } as const;
    expect(causeOfOutcome(course({ attempts: RETRY_RULE.attemptsMax }), busy, answers)).toBe('failed');
    expect(causeOfOutcome(course({ expiry: NOW_MS / 1_000 }), busy, answers)).toBe('failed');
  });

  it('causes nothing once a command has ended, or before it could be sent', () => {
    for (const state of [...TERMINAL_STATES, 'awaiting-approval', 'quarantined'] as const)
      for (const outcome of [
        { state: 'executed', code: null },
        { state: 'failed', code: 'hardware' },
      ] as const)
        expect(causeOfOutcome(course({ state }), outcome, answers)).toBeUndefined();
  });

  it('that comes twice does not fail what waits to be tried again', () => {
    const busy = { state: 'failed', code: 'busy' } as const;
    expect(causeOfOutcome(course({ state: 'queued' }), busy, answers)).toBeUndefined();
    expect(causeOfOutcome(course({ state: 'queued' }), { state: 'executed', code: null }, answers)).toBe(
      'executed',
    );
  });
});

describe('time', () => {
  it('expires what was never sent, fails what was tried before, and leaves unknown what was sent', () => {
    const over = { expiry: NOW_MS / 1_000 };
    const causes = [
      causeOfTime(course({ ...over, state: 'queued', attempts: 0 }), NOW_MS),
      causeOfTime(course({ ...over, state: 'queued', attempts: 1 }), NOW_MS),
      causeOfTime(course({ ...over, state: 'awaiting-approval', attempts: 0 }), NOW_MS),
      causeOfTime(course({ ...over, state: 'quarantined', attempts: 0 }), NOW_MS),
      causeOfTime(course({ ...over, answerDueMs: NOW_MS }), NOW_MS),
    ];
    expect(causes).toEqual(['expired', 'retries-over', 'expired', 'expired', 'unanswered']);
  });

  it('lets what was sent have its answer, even beyond the validity', () => {
    expect(causeOfTime(course({ expiry: NOW_MS / 1_000 - 30 }), NOW_MS)).toBeUndefined();
  });

  it('does nothing before it is up, nor to what has ended', () => {
    for (const state of OPEN_STATES) expect(causeOfTime(course({ state }), NOW_MS)).toBeUndefined();
    for (const state of TERMINAL_STATES)
      expect(causeOfTime(course({ state, expiry: 0, answerDueMs: 0 }), NOW_MS)).toBeUndefined();
  });

  it('between attempts is drawn evenly below a ceiling that doubles and ends', () => {
    const random = seededRandom('retry');
    for (const [attempts, ceilingMs] of [
      [1, 30_000],
      [3, 120_000],
      [40, 3_600_000],
    ] as const) {
      const waits = Array.from(
        { length: 400 },
        () => retryAtMs(attempts, RETRY_RULE, NOW_MS, random) - NOW_MS,
      );
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(RETRY_RULE.minMs);
      expect(Math.max(...waits)).toBeLessThan(ceilingMs);
      expect(Math.max(...waits)).toBeGreaterThan(ceilingMs * 0.9);
    }
  });
});
