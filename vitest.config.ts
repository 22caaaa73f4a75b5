import { defineConfig } from 'vitest/config';

/**
 * Two projects: `fast` holds the unit and contract tests beside the code (part of `npm run check`);
 * `system` holds what starts processes: flows, attacks, chaos. These come after the others and one by one, since they
 * have the machine's cores at work by themselves.
 */
export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      {
        test: {
          name: 'fast',
          include: [
            '{protocol,gateway,meter-emulator,pki,deploy,bench}/**/*.test.ts',
            'test/fast/**/*.test.ts',
          ],
          testTimeout: 20_000,
          // Vitest leaves one core idle by itself, which on a small machine is every second one.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
