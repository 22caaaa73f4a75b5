#!/usr/bin/env node
'use strict';
// `hes` as npm links it. The machine's own Node may be too old for the program: take the one that came as a
// dependency where it is newer. No modern syntax here, for the same reason.
var childProcess = require('child_process');
var fs = require('fs');
var path = require('path');

var NODE_MAJOR_MIN = 26;
var root = path.join(__dirname, '..', '..');
// A package under node_modules cannot be run from its TypeScript (Node strips no types there): it ships `dist`.
var inModules = __dirname.split(path.sep).indexOf('node_modules') !== -1;
var main = inModules ? path.join(root, 'dist', 'gateway', 'cli', 'hes.js') : path.join(__dirname, 'hes.ts');

function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) return process.execPath;
  try {
    var folder = path.dirname(require.resolve('node/package.json', { paths: [root] }));
    var binary = path.join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    if (fs.existsSync(binary)) return binary;
  } catch (_) {
    // falls through to the message below
  }
  process.stderr.write(
    'hes: needs Node ' +
      NODE_MAJOR_MIN +
      ' or newer, this is ' +
      process.version +
      '. Run `npm install` in ' +
      root +
      '\n',
  );
  process.exit(1);
}

// So that it can notice when this process was killed (gateway/cli/up/interrupt.ts).
process.env.HES_LAUNCHER = String(process.pid);
var child = childProcess.spawn(findNode(), [main].concat(process.argv.slice(2)), { stdio: 'inherit' });
// The terminal sends Ctrl-C to the whole group; what is sent to this process alone is passed on.
['SIGTERM', 'SIGHUP', 'SIGINT'].forEach((signal) => {
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
});
child.on('error', (error) => {
  process.stderr.write('hes: ' + error.message + '\n');
  process.exit(1);
});
child.on('exit', (code, signal) => {
  if (signal) process.exit(128 + (require('os').constants.signals[signal] || 0));
  process.exit(code);
});
