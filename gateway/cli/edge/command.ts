import { setFlagsFromString } from 'node:v8';
import { type Command, Option } from 'commander';
import { LOG_LEVELS } from '../../runtime/log.ts';
import { addEdgeEnrol } from './enrol-command.ts';
import type { RunFlags } from './run.ts';
import type { StatusFlags } from './status.ts';

/** `hes edge …`: the meter's side, on a device of one's own. */
export function addEdgeCommands(program: Command): void {
  const edge = program.command('edge').description('the meter side: enrol a device, run it, look at it');
  edge
    .command('run')
    .description('read meters, close their days and deliver them, as edge.yaml says')
    .requiredOption('--config <file>', 'edge.yaml; - reads standard input')
    .addOption(new Option('--log-level <level>', 'what the log tells').choices(LOG_LEVELS))
    .action(async (flags: RunFlags) => {
      keepYoungGenerationSmall();
      const { runEdge } = await import('./run.ts');
      runEdge(flags);
    });
  edge
    .command('status')
    .description('ports, last telegram, last receipt, outbox and certificates of the edge that runs')
    .requiredOption('--config <file>', 'edge.yaml')
    .option('--json', 'print JSON')
    .action(async (flags: StatusFlags) => {
      const { edgeStatus } = await import('./status.ts');
      process.exitCode = await edgeStatus(flags);
    });
  addEdgeEnrol(edge);
}

/**
 * What a telegram leaves behind dies at once, and V8 would let its young generation grow to three times 16 MiB for
 * it: a fifth of the memory of a process that is to run on a small machine (bench/edge has the figures). To be said
 * before anything large is loaded.
 */
function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
