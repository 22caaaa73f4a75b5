import { spawnSync } from 'node:child_process';
import type { Command } from 'commander';
import { beforeAll, describe, expect, it } from 'vitest';
import { completionScript, SHELLS } from './completion.ts';
import { buildProgram } from './program.ts';

let program: Command;
beforeAll(async () => {
  program = await buildProgram();
});

/** What bash offers behind these words. */
function offered(...words: readonly string[]): readonly string[] {
  const script = `${completionScript(program, 'bash')}
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); _hes; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

describe('completion', () => {
  it.each([
    ['a state of commands', ['hes', 'op', 'list', '--state', 'qu'], ['quarantined', 'queued']],
    ['a state of certificates', ['hes', 'pki', 'list', '--state', 're'], ['replaced', 'revoked']],
    ['who acts', ['hes', 'op', 'list', '--as', 'resa/a'], ['resa/approver']],
    ['who acts, before the command', ['hes', '--as', 'ores/s'], ['ores/supervisor']],
    ['a reason', ['hes', 'pki', 'revoke', 'an', '--reason', 'k'], ['keyCompromise']],
    ['an operator', ['hes', 'pki', 'crl', '--tenant', 'fa'], ['farys']],
    ['a command of the pki', ['hes', 'pki', 'tick'], ['ticket-keys']],
    ['a word behind a device', ['hes', 'op', 'airplane', 'o'], ['on', 'off']],
  ])('offers %s', (_what, words, expected) => {
    expect(offered(...words).toSorted()).toEqual(expected.toSorted());
  });

  it.each(SHELLS)('is said once for an option that takes the same everywhere, in %s', (shell) => {
    const script = completionScript(program, shell);
    expect(script.split('ores/operator ores/approver')).toHaveLength(2);
  });
});
