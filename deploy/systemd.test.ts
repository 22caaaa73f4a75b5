import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildProgram } from '../gateway/cli/program.ts';

/** What the units of deploy/systemd call is a command that there is, with options that it has. */

const folder = join(import.meta.dirname, 'systemd');
const calls = readdirSync(folder).flatMap((unit) =>
  [...readFileSync(join(folder, unit), 'utf8').matchAll(/^Exec\w+=.*\/hes\.js (.+)$/gm)].map(
    (match) => [unit, match[1]!.replaceAll('%i', 'ores').split(' ')] as const,
  ),
);
let program: Command;
beforeAll(async () => {
  program = await buildProgram();
});

describe('deploy/systemd', () => {
  it('has units that call hes', () => {
    expect(calls.length).toBeGreaterThanOrEqual(8);
  });

  it.each(calls)('%s calls a command with options that it has: %j', (_unit, words) => {
    let command = program;
    let at = 0;
    for (; at < words.length; at++) {
      const next = command.commands.find((child) => child.name() === words[at]);
      if (next === undefined) break;
      command = next;
    }
    expect(command.commands).toEqual([]);
    const { operands, unknown } = command.parseOptions([...words.slice(at)]);
    expect(unknown).toEqual([]);
    expect(operands.length).toBeLessThanOrEqual(command.registeredArguments.length);
    expect(operands.length).toBeGreaterThanOrEqual(
      command.registeredArguments.filter(({ required }) => required).length,
    );
  });

  it('has a service for each timer', () => {
    const units = readdirSync(folder);
    for (const timer of units.filter((unit) => unit.endsWith('.timer')))
      expect(units).toContain(timer.replace('.timer', '.service'));
  });
});
