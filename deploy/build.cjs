'use strict';
// `npm pack` ships JavaScript: Node strips no types from files below node_modules. The layout of `dist` is that of
// the checkout, so that what is found beside a source file (the record schema) is found beside its built form.
const { spawnSync } = require('node:child_process');
const { cpSync, rmSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const dist = join(root, 'dist');
rmSync(dist, { recursive: true, force: true });
const compiled = spawnSync('npx', ['--no-install', 'tsc', '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (compiled.status !== 0) process.exit(1);
cpSync(join(root, 'docs', 'mdm'), join(dist, 'docs', 'mdm'), { recursive: true });
cpSync(join(root, 'package.json'), join(dist, 'package.json'));
