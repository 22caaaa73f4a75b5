/** Where the time comes from: passed in everywhere, so that a day can be a minute and a test can stand still. */
export interface Clock {
  /** Milliseconds since 1970 UTC. May be fractional on a simulated clock's way, but is always returned whole. */
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => Date.now() };

export interface SimulatedClockOptions {
  /** What the simulated clock shows at `startedAtMs`. */
  readonly originMs: number;
  /** The real moment at which it started: shared through configuration, so that every process shows the same time. */
  readonly startedAtMs: number;
  /** Simulated milliseconds per real one; 1440 makes a day a minute. */
  readonly speed: number;
  readonly real?: Clock;
}

/** A clock that runs `speed` times as fast as the real one from a chosen day on. Never for TLS or certificates. */
export function simulatedClock({
  originMs,
  startedAtMs,
  speed,
  real = systemClock,
}: SimulatedClockOptions): Clock {
  return { nowMs: () => Math.floor(originMs + (real.nowMs() - startedAtMs) * speed) };
}

export interface ManualClock extends Clock {
  advance(byMs: number): void;
  set(nowMs: number): void;
}

/** A clock that moves only when told to: for tests, and for runs that jump from day to day. */
export function manualClock(startMs: number): ManualClock {
  let currentMs = startMs;
  return {
    nowMs: () => currentMs,
    advance: (byMs) => {
      currentMs += byMs;
    },
    set: (nowMs) => {
      currentMs = nowMs;
    },
  };
}
