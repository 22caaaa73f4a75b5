import { z } from 'zod';
import { type Clock, simulatedClock, systemClock } from './clock.ts';

const epochMs = z.int().min(0);

/** Where a process has its time from. A simulated one is shared by what belongs together, and is for development. */
export const clockConfig = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('real') }),
  z.strictObject({
    kind: z.literal('simulated'),
    /** What it shows at `startedAtMs` of the real clock. */
    originMs: epochMs,
    startedAtMs: epochMs,
    speed: z.number().positive().max(1_000_000),
  }),
]);

export type ClockConfig = Readonly<z.output<typeof clockConfig>>;

export function clockOf(config: ClockConfig, real: Clock = systemClock): Clock {
  return config.kind === 'real' ? real : simulatedClock({ ...config, real });
}
