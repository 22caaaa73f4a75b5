import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

/** Where what is built is found by nobody else, and finds the dependencies. */
const BUILT = join(ROOT, 'node_modules/.cache/hes-bench-edge');

/** `hes` from the checkout: Node takes the types out of each file when it loads it, and keeps both. */
export const FROM_SOURCES = join(ROOT, 'gateway/cli/hes.ts');

/** `hes` as `npm pack` ships it: JavaScript. */
export function buildProgram(): string {
  mkdirSync(BUILT, { recursive: true });
  const { status } = spawnSync(
    process.execPath,
    [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', BUILT],
    { cwd: ROOT, stdio: 'inherit' },
  );
  if (status !== 0) throw new Error('the program does not compile');
  copyFileSync(join(ROOT, 'package.json'), join(BUILT, 'package.json'));
  return join(BUILT, 'gateway/cli/hes.js');
}
