import { describe, expect, it } from 'vitest';
import { type Breaker, CLOSED, onFailure, onRequest, onSuccess, permits } from './breaker.ts';

const OPTIONS = { failuresMax: 3, openMs: 1_000, openMsMax: 3_000 };
const most = () => 1;

function failing(times: number, from: Breaker = CLOSED, nowMs = 0): Breaker {
  let breaker = from;
  for (let i = 0; i < times; i++) breaker = onFailure(breaker, nowMs, OPTIONS, most);
  return breaker;
}

describe('the circuit breaker', () => {
  it('lets nobody through once as many requests in a row have failed', () => {
    expect(permits(failing(2), 0)).toBe(true);
    expect(failing(3)).toEqual({ state: 'open', untilMs: 1_000, trips: 1 });
    expect(permits(failing(3), 999)).toBe(false);
  });

  it('is not opened by failures with a success between them', () => {
    expect(failing(2, onSuccess())).toEqual({ state: 'closed', failures: 2 });
  });

  it('lets one probe through when its time is over, and no second', () => {
    const probing = onRequest(failing(3));
    expect(permits(failing(3), 1_000)).toBe(true);
    expect(probing.state).toBe('half-open');
    expect(permits(probing, 5_000)).toBe(false);
  });

  it('stays open twice as long after each probe that fails, up to the bound', () => {
    const second = onFailure(onRequest(failing(3)), 1_000, OPTIONS, most);
    expect(second).toEqual({ state: 'open', untilMs: 3_000, trips: 2 });
    const third = onFailure(onRequest(second), 3_000, OPTIONS, most);
    expect(third).toEqual({ state: 'open', untilMs: 6_000, trips: 3 });
  });

  it('closes when the probe succeeds', () => {
    expect(permits(onSuccess(), 0)).toBe(true);
    expect(failing(1, onSuccess())).toEqual({ state: 'closed', failures: 1 });
  });

  it('is not held open longer by requests that were under way when it opened', () => {
    expect(failing(4)).toEqual(failing(3));
  });

  it('jitters the time that it stays open between half and all of it', () => {
    const shortest = onFailure(failing(2), 0, OPTIONS, () => 0);
    expect(shortest).toMatchObject({ untilMs: 500 });
  });
});
