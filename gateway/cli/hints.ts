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

const COMPLETED = new WeakMap<Option, readonly string[]>();

/** An option with words for completion alone: usual ones of many, which no help should list. */
export function completed(option: Option, words: readonly string[]): Option {
  COMPLETED.set(option, words);
  return option;
}

/** What completion offers behind this option. */
export const completionsOf = (option: Option): readonly string[] | undefined =>
  COMPLETED.get(option) ?? option.argChoices;
