import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROCESS_CONFIGS } from '../gateway/cli/process-configs.ts';
import { loadConfig } from '../gateway/runtime/config.ts';

const folder = join(import.meta.dirname, 'examples');

describe('deploy/examples', () => {
  it.each(readdirSync(folder).filter((file) => file.endsWith('.yaml')))(
    '%s is a configuration that its process takes',
    async (file) => {
      // `edge-desk.yaml` is another one for `edge`.
      const [kind] = basename(file, '.yaml').split('-') as [keyof typeof PROCESS_CONFIGS];
      await expect(loadConfig(PROCESS_CONFIGS[kind], { file: join(folder, file) })).resolves.toBeDefined();
    },
  );

  it('refuses a key that nobody knows, with its path', async () => {
    const object = { data: '.hes', listen: { prot: 8883 } };
    await expect(loadConfig(PROCESS_CONFIGS.up, { object })).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('listen.prot'),
    });
  });
});
