/** The benchmarks by name, in the order in which they run: short ones first. */
export const BENCHES = {
  p1: '../p1.ts',
  pki: '../pki.ts',
  est: '../est.ts',
  token: '../token.ts',
  bus: '../bus.ts',
  edge: '../edge.ts',
  router: '../router.ts',
  desk: '../desk.ts',
  'front-idle': '../front-idle.ts',
  day: '../day.ts',
  commands: '../commands.ts',
  campaign: '../campaign.ts',
  million: '../million.ts',
} as const;

export type BenchName = keyof typeof BENCHES;

export const BENCH_NAMES = Object.keys(BENCHES) as readonly BenchName[];

export const isBenchName = (name: string): name is BenchName => Object.hasOwn(BENCHES, name);
