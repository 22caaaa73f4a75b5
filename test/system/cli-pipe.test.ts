import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const HES = resolve(import.meta.dirname, '../../gateway/cli/hes.ts');

describe('a command whose output nobody reads to its end', () => {
  it.each(['emulate dialects', 'config schema up', 'help'])('ends without a word: hes %s | true', (args) => {
    const { stderr, signal, status } = spawnSync(
      'bash',
      ['-c', `"$0" "$1" ${args} | true; exit "\${PIPESTATUS[1]}"`, process.execPath, HES],
      { encoding: 'utf8' },
    );
    expect({ stderr, signal, status }).toEqual({ stderr: '', signal: null, status: 0 });
  });
});
