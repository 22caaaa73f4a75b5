import { CommanderError } from 'commander';
import { isHesError } from '../../../../protocol/errors.ts';
import { EXIT, exitCodeOf } from '../../exit.ts';
import { buildProgram } from '../../program.ts';

/** `hes …` within a test's own process: what it wrote, and how it would have ended. */
export interface Ended {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
  /** The code of the error that ended it. */
  readonly code: string | null;
}

export async function hes(...words: readonly string[]): Promise<Ended> {
  const written = { stdout: '', stderr: '' };
  const restore = (['stdout', 'stderr'] as const).map((name) => {
    const stream = process[name];
    const { write } = stream;
    stream.write = ((text: string | Uint8Array) => {
      written[name] += typeof text === 'string' ? text : Buffer.from(text).toString('utf8');
      return true;
    }) as typeof write;
    return () => {
      stream.write = write;
    };
  });
  const ended = (exit: number, code: string | null): Ended => ({
    exit,
    out: written.stdout,
    err: written.stderr,
    code,
  });
  try {
    process.exitCode = undefined;
    const program = await buildProgram(words);
    await program.parseAsync(words, { from: 'user' });
    return ended(Number(process.exitCode ?? EXIT.ok), null);
  } catch (error) {
    if (error instanceof CommanderError) return ended(error.exitCode === 0 ? EXIT.ok : EXIT.usage, null);
    if (!isHesError(error)) throw error;
    written.stderr += `hes: ${error.message} (${error.code})\n`;
    return ended(exitCodeOf(error), error.code);
  } finally {
    process.exitCode = undefined;
    for (const back of restore) back();
  }
}

/** The one JSON value that it printed. */
export const json = <T = Record<string, unknown>>({ out }: Ended): T => JSON.parse(out) as T;
