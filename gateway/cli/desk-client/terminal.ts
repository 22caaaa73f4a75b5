import { createInterface } from 'node:readline/promises';
import type { ReadStream } from 'node:tty';
import { clientError } from './errors.ts';

/**
 * Questions to whoever sits at the terminal. They go to standard error, so that standard output holds the answer of
 * the command and nothing else.
 */
export interface Terminal {
  /** Whether somebody can be asked at all. */
  readonly present: boolean;
  ask(question: string): Promise<string>;
  /** What is typed is not shown. */
  askSecret(question: string): Promise<string>;
  /** A line that tells how far it is; on anything but a terminal nothing is said. */
  tell(line: string): void;
}

const ENTER = new Set(['\r', '\n', '\x04']);
const INTERRUPT = '\x03';
const ERASE = new Set(['\x7f', '\b']);
const SECRET_LENGTH_MAX = 1_024;

export function processTerminal(): Terminal {
  const { stdin, stderr } = process;
  return {
    present: stdin.isTTY === true && stderr.isTTY === true,
    async ask(question) {
      const lines = createInterface({ input: stdin, output: stderr });
      try {
        // Ctrl-D is an answer too: none.
        const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
        lines.once('SIGINT', () => {
          stderr.write('\n');
          process.exit(130);
        });
        return (await Promise.race([lines.question(question), ended])).trim();
      } finally {
        lines.close();
      }
    },
    async askSecret(question) {
      const typed = secret(stdin as ReadStream);
      // Asked once nothing is shown any more: a quick answer is not, either.
      stderr.write(question);
      try {
        return await typed;
      } finally {
        stderr.write('\n');
      }
    },
    tell(line) {
      if (stderr.isTTY === true) stderr.write(`${line}\n`);
    },
  };
}

/** Typed characters up to Enter, without the terminal's own echo. */
function secret(input: ReadStream): Promise<string> {
  input.setRawMode(true);
  input.setEncoding('utf8');
  input.resume();
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = (): void => {
      input.off('data', take);
      input.setRawMode(false);
      input.pause();
    };
    const take = (text: string): void => {
      for (const character of text) {
        if (character === INTERRUPT) {
          end();
          reject(clientError('ERR_OP_DECLINED', 'ended at the question for the passphrase'));
          return;
        }
        if (ENTER.has(character)) {
          end();
          resolve(typed);
          return;
        }
        typed = ERASE.has(character)
          ? typed.slice(0, -1)
          : `${typed}${character}`.slice(0, SECRET_LENGTH_MAX);
      }
    };
    input.on('data', take);
  });
}
