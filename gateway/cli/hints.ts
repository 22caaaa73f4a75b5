import { Option } from 'commander';

/**
 * An option with the words that it takes, for help and completion. The command itself judges what it is given, so that
 * its error can say more than that it is none of them.
 */
export function hinted(flags: string, description: string, words: readonly string[]): Option {
  const option = new Option(flags, description);
  option.argChoices = [...words];
  return option;
}
