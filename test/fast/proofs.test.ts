import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

/** docs/proofs.md names tests and how to run them: a name that leads nowhere would be a promise without its proof. */

const root = resolve(import.meta.dirname, '../..');
const tests = globSync('{protocol,gateway,meter-emulator,pki,deploy,bench,test}/**/*.test.ts', { cwd: root });
const rows = readFileSync(resolve(root, 'docs/proofs.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| (?!promise|bug|-)/.test(line) && !line.startsWith('|---'));
const quoted = (line: string): string[] => [...line.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);

/** A path, one with a star in it, or the name of a neighbour of the one before. */
const fits = (name: string, file: string): boolean =>
  new RegExp(`(^|/)${RegExp.escape(name).replaceAll('\\*', '[^/]*')}$`).test(file);

describe('docs/proofs.md', () => {
  it('has a row for each of the known bugs of others', () => {
    expect(rows.length).toBeGreaterThan(30);
    expect(rows.filter((row) => row.includes('test/fast/pitfalls.test.ts'))).toHaveLength(8);
  });

  it('names tests that are there', () => {
    const named = rows.flatMap((row) => quoted(row).filter((text) => text.endsWith('.test.ts')));
    expect(named.filter((name) => !tests.some((file) => fits(name, file)))).toEqual([]);
  });

  it('says how to run them, with words that find a test', () => {
    for (const row of rows) {
      const command = quoted(row.split('|').at(-2)!)[0] ?? '';
      expect(command, row).toMatch(/^npx vitest run /);
      for (const word of command.replace('npx vitest run ', '').split(' '))
        expect(
          tests.some((file) => file.includes(word)),
          word,
        ).toBe(true);
    }
  });
});
