'use strict';
// What `npm start` and `npm test` run first, with whatever Node the machine has (so: no modern syntax here).
// It installs the dependencies where they are missing or not those of the lock file; among them is the
// npm package `node`, which puts the Node that this project needs on the path of every npm script.
var childProcess = require('child_process');
var crypto = require('crypto');
var fs = require('fs');
var path = require('path');

var NODE_MAJOR_MIN = 26;
var root = path.join(__dirname, '..');
var modules = path.join(root, 'node_modules');
var stampFile = path.join(modules, '.hes-installed');

function lockDigest() {
  return crypto
    .createHash('sha256')
    .update(fs.readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex');
}

function installed() {
  try {
    return fs.readFileSync(stampFile, 'utf8') === lockDigest();
  } catch (_) {
    return false;
  }
}

function npm(args) {
  var cli = process.env.npm_execpath;
  var command = cli && /\.c?js$/.test(cli) ? process.execPath : 'npm';
  var all = command === 'npm' ? args : [cli].concat(args);
  // A prefix, a flag or `ignore-scripts` of the outer npm must not reach the inner one.
  var env = {};
  Object.keys(process.env).forEach((name) => {
    if (!/^npm_(lifecycle|package|command|config_(global|ignore_scripts|production|omit))/.test(name))
      env[name] = process.env[name];
  });
  // Standard output is the program's own: what npm says goes to standard error.
  return childProcess.spawnSync(command, all, {
    cwd: root,
    env: env,
    stdio: ['ignore', 2, 2],
    shell: command === 'npm' && process.platform === 'win32',
  });
}

function nodeMajor() {
  var binary = path.join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  var answer = childProcess.spawnSync(binary, ['--version'], { encoding: 'utf8' });
  var match = answer.status === 0 && /^v(\d+)\./.exec(answer.stdout);
  return match ? Number(match[1]) : 0;
}

function fail(message) {
  process.stderr.write('hes: ' + message + '\n');
  process.exit(1);
}

if (!installed()) {
  process.stderr.write('hes: installing dependencies (once) …\n');
  var result = npm(['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']);
  if (result.error || result.status !== 0) {
    fail(
      'npm could not install the dependencies. Is the npm registry reachable, and may this folder be written?\n     ' +
        root,
    );
  }
  if (nodeMajor() < NODE_MAJOR_MIN) npm(['rebuild', 'node', '--ignore-scripts=false']);
  if (nodeMajor() < NODE_MAJOR_MIN) {
    fail(
      'Node ' +
        NODE_MAJOR_MIN +
        ' could not be installed by the npm package `node` for ' +
        process.platform +
        '-' +
        process.arch +
        '.\n     Install Node ' +
        NODE_MAJOR_MIN +
        ' or newer yourself and run `npx hes up`.',
    );
  }
  fs.writeFileSync(stampFile, lockDigest());
}
