import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { HesError, isHesError } from '../../../protocol/errors.ts';
import { parseP1Key } from '../../edge/p1/glo-keys.ts';
import type { DecodeFlags } from './decode.ts';

/** `hes p1 …`: for anyone with a cable and a question. */
export function addP1Commands(program: Command): void {
  const p1 = program.command('p1').description('P1 customer ports: look at what a meter says');
  p1.command('decode')
    .description('read P1 telegrams of any dialect, from a file or, with - or nothing, from standard input')
    .argument('[file]', 'telegrams as they came from the port; - is standard input', '-')
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
    )
    .action(async (file: string, flags: DecodeFlags) => {
      const { decode } = await import('./decode.ts');
      process.exitCode = await decode(file, flags);
    });
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
