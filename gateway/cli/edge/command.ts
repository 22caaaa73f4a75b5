import type { Command } from 'commander';
import { addEdgeEnrol } from './enrol-command.ts';

/** `hes edge …`: the meter's side, on a device of one's own. */
export function addEdgeCommands(program: Command): void {
  const edge = program.command('edge').description('the meter side: enrol a device, run it, look at it');
  addEdgeEnrol(edge);
}
