import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { HesError, isHesError } from '../../../protocol/errors.ts';
import { parseP1Key } from '../../edge/p1/glo-keys.ts';
import type { DecodeFlags } from './decode.ts';
import type { WatchFlags } from './watch.ts';

/** `hes p1 …`: for anyone with a cable and a question. */
export function addP1Commands(program: Command): void {
  const p1 = program.command('p1').description('P1 customer ports: look at what a meter says');
  reading(p1.command('decode'))
    .description('read P1 telegrams of any dialect, from a file or, with - or nothing, from standard input')
    .argument(
      '[file]',
      'telegrams as they came from the port, or a hex dump of them; - is standard input',
      '-',
    )
    .action(async (file: string, flags: DecodeFlags) => {
      const { decode } = await import('./decode.ts');
      process.exitCode = await decode(file, flags);
    });
  reading(p1.command('watch'))
    .description('watch a port: its state in words, and the last telegram, until Ctrl-C')
    .argument('<port>', 'a serial port (/dev/ttyUSB0), or tcp:HOST:PORT of a bridge')
    .addOption(
      new Option('--mode <mode>', 'of a serial port; auto tries both').choices([
        'auto',
        '115200 8N1',
        '9600 7E1',
      ]),
    )
    .action(async (port: string, flags: WatchFlags) => {
      const { watch } = await import('./watch.ts');
      await watch(port, flags);
    });
}

/** How telegrams are opened and shown. */
function reading(command: Command): Command {
  return command
    .option('--json', 'one JSON object a line for each telegram')
    .option(
      '--key <hex>',
      'encryption key of an encrypted port, 32 hex digits; @FILE reads it from a file',
      key('encryption'),
    )
    .option(
      '--auth-key <hex>',
      "its authentication key, likewise (default: Luxembourg's)",
      key('authentication'),
    )
    .option(
      '--accept-unverified',
      'also show encrypted telegrams without a right tag: ANYBODY ON THE CABLE CAN HAVE ALTERED THEM',
    );
}

/**
 * Other people of the machine see the words of a command line: `@FILE` keeps a key out of them. What is wrong is said
 * without the word itself, which commander would repeat: a mistyped key is most of a key.
 */
function key(what: 'encryption' | 'authentication'): (text: string) => Uint8Array {
  return (text) => {
    try {
      return parseP1Key(text.startsWith('@') ? readFileSync(text.slice(1), 'latin1') : text, what);
    } catch (error) {
      const reason = isHesError(error) ? error.message : `the file of the ${what} key cannot be read`;
      throw new HesError('ERR_USAGE', reason);
    }
  };
}
