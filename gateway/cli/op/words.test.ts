import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { COMMAND_TYPES, rowOf } from '../../../protocol/command/table.ts';
import { completionScript } from '../completion.ts';
import { buildProgram } from '../program.ts';
import { ALL_WORDS } from './words.ts';

const program = await buildProgram();
const find = (words: readonly string[]): Command | undefined =>
  words.reduce<Command | undefined>(
    (above, word) => above?.commands.find((command) => command.name() === word),
    program,
  );

describe('the words of hes op', () => {
  it('reach every row of the command table', () => {
    expect(new Set(ALL_WORDS.map(({ type }) => type))).toEqual(new Set(COMMAND_TYPES));
  });

  it.each([
    ['tariff set', 'tariff.set'],
    ['prepay activate', 'prepayment.activate'],
    ['prepay balance', 'prepayment.balance'],
    ['prepay deactivate', 'prepayment.deactivate'],
    ['breaker open', 'breaker.open'],
    ['breaker arm', 'breaker.arm'],
    ['valve close', 'valve.close'],
    ['valve arm', 'valve.arm'],
    ['limiter set', 'limiter.set'],
    ['airplane on', 'airplane.on'],
    ['p1 on', 'p1.set'],
    ['p1 off', 'p1.set'],
    ['read', 'read.now'],
    ['message', 'display.message'],
    ['clock', 'clock.sync'],
    ['credential renew', 'credential.renew'],
  ])('say %s for %s', (said, type) => {
    expect(ALL_WORDS.find(({ words }) => words.join(' ') === said)?.type).toBe(type);
  });

  it.each(ALL_WORDS.map((row) => [row.words.join(' '), row] as const))(
    'give %s an option for each argument that they do not say themselves, and the help of its row',
    (_, { type, words, fixed }) => {
      const command = find(['op', ...words])!;
      const options = command.options.map(({ long }) => long?.slice(2));
      for (const { option } of Object.values(rowOf(type).arguments))
        expect(options.includes(option)).toBe(!Object.hasOwn(fixed, option));
      let help = '';
      command.configureOutput({
        writeOut: (text) => {
          help += text;
        },
      });
      command.outputHelp();
      expect(help.includes('Critical')).toBe(rowOf(type).critical);
      expect(options.includes('yes')).toBe(rowOf(type).critical);
      for (const role of rowOf(type).propose) expect(help).toContain(role);
    },
  );

  it('are completed as everything else', () => {
    const script = completionScript(program, 'bash');
    expect(script).toContain('"op prepay activate") words="--start-credit');
    expect(script).toContain('"op credential renew --key") words="tls sign agree"');
    expect(script).toContain('"op tariff set --plan") words="mono bi impact"');
    expect(script).toContain('"meter list") words="--airplane --prepaid');
    expect(script).toContain('"audit verify")');
  });
});
