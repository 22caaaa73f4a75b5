import { Argument, type Command, Option } from 'commander';
import type { ArgumentInfo } from '../../../protocol/command/argument.ts';
import { rowOf } from '../../../protocol/command/table.ts';
import { deskOptions } from '../desk-client/flags.ts';
import { usage } from '../errors.ts';
import { instantSeconds, leaf, spanSeconds, waitOptions } from './command.ts';
import { rowText } from './draft.ts';
import { choicesOf, fallbackText, type Texts } from './fill.ts';
import type { ProposeFlags } from './propose.ts';
import { ALL_WORDS, type CommandWords, GROUPS, NO_COMMANDS, type NoCommand } from './words.ts';

/** Each row of the command table as a command of `hes op`. */
export function addRowCommands(op: Command): void {
  for (const words of ALL_WORDS) addRow(op, words);
  for (const no of NO_COMMANDS) addNoCommand(op, no);
}

/** A word that people look for and that no command can be: it says what to do instead. */
function addNoCommand(op: Command, { words, says, instead }: NoCommand): void {
  let above = op;
  for (const word of words.slice(0, -1)) above = groupOf(above, word);
  leaf(above, words.at(-1)!, says)
    .argument('[device]', 'the meter')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      throw usage(instead);
    });
}

function addRow(op: Command, row: CommandWords): void {
  const { words, usual } = row;
  let above = op;
  for (const word of words.slice(0, -1)) above = groupOf(above, word);
  describe(leaf(above, words.at(-1)!, rowOf(row.type).says, { isDefault: usual }), row);
}

function groupOf(above: Command, word: string): Command {
  const there = above.commands.find((command) => command.name() === word);
  if (there !== undefined) return there;
  const group = above.command(word).enablePositionalOptions();
  group.description(GROUPS[word] ?? `commands about ${word}`);
  return deskOptions(group, { hidden: true });
}

function describe(command: Command, row: CommandWords): void {
  const { type, fixed, spoken } = row;
  const infos = Object.values(rowOf(type).arguments).filter(({ option }) => !Object.hasOwn(fixed, option));
  command.argument('<device>', 'the meter: 16 hex digits, as `hes meter list` shows them');
  const aloud = infos.find(({ option }) => option === spoken);
  if (aloud !== undefined) {
    const spokenArgument = new Argument(`[${aloud.option}]`, `${aloud.says}; or --${aloud.option}`);
    const choices = choicesOf(aloud);
    command.addArgument(choices === undefined ? spokenArgument : spokenArgument.choices(choices));
  }
  for (const info of infos) command.addOption(optionOf(row, info));
  const required = rowOf(type).reasonRequired;
  command
    .option('--reason <text>', `why; it is signed with it${required ? ' and must be said' : ''}`)
    .addOption(
      new Option('--not-before <time>', 'when it begins to be valid (default: at once)').argParser(
        instantSeconds,
      ),
    )
    .addOption(
      new Option('--valid-for <span>', 'for how long, as 12h or 7d (default: see below)').argParser(
        spanSeconds,
      ),
    )
    .option('--dry-run', 'show what would be signed and sent; nothing is');
  if (rowOf(type).critical)
    command.option('-y, --yes', 'do not ask for the EAN of the meter: whoever says this has made sure of it');
  deskOptions(waitOptions(command))
    .addHelpText('after', `\n${rowText(type)}`)
    .action(async (device: string, ...rest: unknown[]) => {
      const flags = rest.at(-2) as ProposeFlags & Readonly<Record<string, unknown>>;
      const word = aloud === undefined ? undefined : (rest[0] as string | undefined);
      const { proposeCommand } = await import('./propose.ts');
      process.exitCode = await proposeCommand(row, { device, said: saidOf(row, flags, word) }, flags);
    });
}

function optionOf({ type }: CommandWords, info: ArgumentInfo): Option {
  const fallback = fallbackText(type, info.option);
  const limits = limitsText(info);
  const notes = [
    ...(limits === '' ? [] : [limits]),
    ...(fallback === undefined ? [] : [`default ${fallback}`]),
  ];
  const option = new Option(
    `--${info.option} <${placeholderOf(info)}>`,
    `${info.says}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`,
  );
  const choices = choicesOf(info);
  return choices === undefined ? option : option.choices(choices);
}

const PLACEHOLDERS: Readonly<Record<string, string>> = {
  cents: 'euros',
  W: 'kilowatts',
  'epoch-seconds': 'time',
  day: 'day',
  characters: 'text',
};

const placeholderOf = ({ unit, option, schema }: ArgumentInfo): string =>
  (unit === null ? undefined : PLACEHOLDERS[unit]) ??
  (schema['enum'] === undefined ? option.replace(/^.*-/, '') : 'word');

/** Limits as people write them; those of texts, times and words say themselves. */
function limitsText({ schema, unit, toText }: ArgumentInfo): string {
  const { minimum, maximum } = schema as { readonly minimum?: number; readonly maximum?: number };
  if (minimum === undefined || maximum === undefined || unit === 'epoch-seconds') return '';
  return `${toText(minimum)} to ${toText(maximum)}`;
}

/** What was said of the arguments, by the names of their options. */
export function saidOf(
  { type, spoken }: Pick<CommandWords, 'type' | 'spoken'>,
  flags: Readonly<Record<string, unknown>>,
  word: string | undefined,
): Texts {
  const said: Record<string, string> = {};
  for (const { option } of Object.values(rowOf(type).arguments)) {
    const value = flags[new Option(`--${option} <x>`).attributeName()];
    if (typeof value === 'string') said[option] = value;
  }
  if (spoken !== null && word !== undefined) said[spoken] = word;
  return said;
}
