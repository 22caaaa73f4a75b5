import { CommanderError } from 'commander';
import { isHesError } from '../../protocol/errors.ts';
import { codeOf, EXIT, exitCodeOf } from './exit.ts';
import { buildProgram } from './program.ts';

// Whoever reads has gone, as `| head` does: it is as if Ctrl-C had been pressed, so that a long run ends cleanly.
// A command that listens itself knows better.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (process.stdout.listenerCount('error') > 1) return;
  if (error.code !== 'EPIPE') throw error;
  process.kill(process.pid, 'SIGINT');
});

/** The entry of `hes`: run the command line, say errors in a line that tells what to do, map them to exit codes. */
try {
  const program = await buildProgram(process.argv.slice(2));
  await program.parseAsync();
} catch (error) {
  // Help and version are not errors; a wrong word was already explained.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else {
    process.stderr.write(`hes: ${explain(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

function explain(error: unknown): string {
  if (isHesError(error)) return `${error.message} (${codeOf(error)})`;
  // Not one of ours: a defect, so the stack is what helps.
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
