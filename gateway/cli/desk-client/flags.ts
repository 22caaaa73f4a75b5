import { type Command, InvalidArgumentError, Option } from 'commander';
import { ROLES } from '../../../protocol/command/roles.ts';
import { CONSORTIUM } from '../../../protocol/tenants.ts';
import { completed } from '../hints.ts';

/** Who asks, and which desk: the same words on every command that asks one, and before the command too. */
export interface DeskFlags {
  readonly as?: string;
  readonly identity?: string;
  readonly passphraseFile?: string;
  readonly passphraseFd?: number;
  readonly desk?: string;
  readonly data?: string;
}

const descriptor = (text: string): number => {
  const value = Number(text);
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('It must be the number of an open descriptor.');
  return value;
};

/** Those that `hes up` makes: each operator has somebody in each role, called as it. */
const DEVELOPMENT_IDENTITIES = CONSORTIUM.flatMap(({ id }) =>
  Object.keys(ROLES).map((role) => `${id}/${role}`),
);

const options = (): readonly Option[] => [
  completed(
    new Option('--as <tenant/name>', 'act as a development identity of the data folder, as ores/operator'),
    DEVELOPMENT_IDENTITIES,
  ),
  new Option('--identity <file>', 'act as the person or system whose identity file this is'),
  new Option('--passphrase-file <file>', 'what opens --identity (default: asked at the terminal)'),
  new Option('--passphrase-fd <n>', 'or an open descriptor that it is read from').argParser(descriptor),
  new Option('--desk <url>', 'the desk (default: the one of the tenant that runs on this machine)'),
  new Option('--data <folder>', 'where `hes up` keeps its keys and says where its desks are (default .hes)'),
];

const HEADING = 'Who asks, and which desk (may also stand before the command):';

/** Give a command the options, after its own; hidden where it only passes them on to those below it. */
export function deskOptions(command: Command, { hidden = false } = {}): Command {
  for (const option of options()) command.addOption(hidden ? option.hideHelp() : option.helpGroup(HEADING));
  return command;
}

/**
 * What was said before the word that it is for (`hes --data DIR --as ores/operator op …`) counts as if it had been
 * said after it, unless that was said too. What the command does not take is refused: silence would be a wrong answer.
 */
export function handDown(command: Command): void {
  for (let above = command.parent; above !== null; above = above.parent)
    for (const option of above.options) {
      const name = option.attributeName();
      if (above.getOptionValueSource(name) !== 'cli') continue;
      if (command.getOptionValueSource(name) === 'cli') continue;
      if (!command.options.some((own) => own.attributeName() === name))
        command.error(`error: '${option.long}' is nothing that this command takes`);
      command.setOptionValueWithSource(name, above.getOptionValue(name), 'cli');
    }
}
