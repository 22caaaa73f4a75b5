import { defineConfig } from 'vitest/config';

/**
 * Two projects: `fast` holds the unit and contract tests beside the code (part of `npm run check`);
 * `system` holds what starts processes: flows, attacks, chaos.
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
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
