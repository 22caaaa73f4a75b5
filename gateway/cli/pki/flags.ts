import { type Command, InvalidArgumentError, Option } from 'commander';
import { CONSORTIUM } from '../../../protocol/tenants.ts';
import { completed } from '../hints.ts';

/** What most commands of `hes pki` take. */
export interface PkiFlags {
  readonly data?: string;
  readonly tenant?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly passphraseFile?: string;
  readonly passphraseFd?: number;
  readonly newPassphraseFile?: string;
  readonly newPassphraseFd?: number;
}

export const descriptor = (text: string): number => {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('It must be the number of an open descriptor.');
  return Number(text);
};

const FLAGS = {
  data: () => new Option('--data <folder>', 'data folder, which the PKI is in (default .hes)'),
  tenant: () =>
    completed(
      new Option('--tenant <name>', 'the operator (default: the only one, or every one)'),
      CONSORTIUM.map(({ id }) => id),
    ),
  json: () => new Option('--json', 'print JSON'),
  dryRun: () => new Option('--dry-run', 'say what would be done, and do nothing'),
} as const;

/** Add flags of these names, after the command's own. */
export function commonFlags(command: Command, ...names: readonly (keyof typeof FLAGS)[]): Command {
  for (const name of names) command.addOption(FLAGS[name]());
  return command;
}

/** `--passphrase-file` and `-fd`, or the same with a word in front. */
export function secretFlags(command: Command, word: string, what: string): Command {
  return command
    .option(`--${word}passphrase-file <file>`, `the passphrase of ${what} (default: asked at the terminal)`)
    .addOption(
      new Option(`--${word}passphrase-fd <n>`, 'or an open descriptor that it is read from').argParser(
        descriptor,
      ),
    );
}
