import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorCodesInSources, renderErrorsPage } from '../../docs/errors.ts';

const root = resolve(import.meta.dirname, '../..');

describe('docs/errors.md', () => {
  it('is what the rooms’ error tables say (npm run docs writes it)', async () => {
    expect(readFileSync(join(root, 'docs/errors.md'), 'utf8')).toBe(await renderErrorsPage(root));
  });

  it('explains every error code that the sources name', () => {
    const page = readFileSync(join(root, 'docs/errors.md'), 'utf8');
    const missing = [...errorCodesInSources(root)].filter((code) => !page.includes(`\`${code}\``));
    expect(missing).toEqual([]);
  });

  it('explains no code that no source names any more', async () => {
    const used = errorCodesInSources(root);
    const explained = (await renderErrorsPage(root))
      .match(/`ERR_[A-Z0-9_]+`/g)!
      .map((code) => code.slice(1, -1));
    expect(explained.filter((code) => !used.has(code))).toEqual([]);
  });
});
