import { availableParallelism, cpus, loadavg, release } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly kernel: string;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    node: process.version,
    kernel: release(),
  };
}

/** How many others wanted a core when the run began; figures of a loaded machine are noisy. */
export function load(): number {
  return Number(loadavg()[0]!.toFixed(1));
}
