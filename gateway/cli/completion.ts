import type { Command } from 'commander';
import { completionsOf } from './hints.ts';

/** Completion scripts, drawn from the program itself so that they cannot lag behind it. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

interface Node {
  readonly path: string;
  readonly words: readonly string[];
  /** What options take, where that is one of a few words: `--plan` is mono, bi or impact. */
  readonly choices: readonly (readonly [option: string, words: readonly string[]])[];
}

function walk(command: Command, path = ''): Node[] {
  const children = command.commands.filter((child) => !child.name().startsWith('_'));
  const options = command.options.filter((option) => !option.hidden);
  const words = [...children.map((child) => child.name()), ...options.map(({ long }) => long!), '--help'];
  // Hidden ones too: what may stand before a command is completed there.
  const choices = command.options.flatMap((option) => {
    const offered = completionsOf(option);
    return offered === undefined ? [] : [[option.long!, offered] as const];
  });
  return [
    { path, words, choices },
    ...children.flatMap((child) => walk(child, `${path} ${child.name()}`.trim())),
  ];
}

export function completionScript(program: Command, shell: Shell): string {
  return SCRIPTS[shell](walk(program));
}

const SCRIPTS: Readonly<Record<Shell, (nodes: readonly Node[]) => string>> = {
  bash: bash,
  zsh: (nodes) => `#compdef hes\nautoload -U +X bashcompinit && bashcompinit\n${bash(nodes)}`,
  fish: fish,
};

const pathsOf = (nodes: readonly Node[]): readonly string[] =>
  nodes.map(({ path }) => path).filter((path) => path !== '');

interface Choice {
  /** Null where the option takes the same words wherever it is. */
  readonly path: string | null;
  readonly option: string;
  readonly words: readonly string[];
}

/** Commands that have an option before it is said for all of them. */
const OFTEN = 8;

/** What options take, said once for those that take the same everywhere, as `--as` does on fifty commands. */
function choicesOf(nodes: readonly Node[]): readonly Choice[] {
  const all = nodes.flatMap(({ path, choices }) =>
    choices.map(([option, words]) => ({ path, option, words })),
  );
  // A reason is free text for one command and a word of a few for another: there it is said command by command.
  const isSame = ({ option, words }: Choice): boolean =>
    nodes.every((node) => {
      const choice = node.choices.find(([name]) => name === option);
      return choice === undefined ? !node.words.includes(option) : choice[1].join() === words.join();
    });
  const isOften = ({ option }: Choice): boolean =>
    all.filter((other) => other.option === option).length >= OFTEN;
  const everywhere = all.filter((choice) => isOften(choice) && isSame(choice));
  const once = new Map(everywhere.map((choice) => [choice.option, { ...choice, path: null }]));
  return [...all.filter(({ option }) => !once.has(option)), ...once.values()];
}

/**
 * Words are a path only as far as they are commands: a device, a file and what an option takes are stepped over,
 * wherever they stand.
 */
function fish(nodes: readonly Node[]): string {
  return [
    'function __hes_path',
    `  set -l known ${pathsOf(nodes)
      .map((path) => `'${path}'`)
      .join(' ')}`,
    '  set -l path',
    '  for word in (commandline -opc)[2..]',
    '    set -l next (string trim -- "$path $word")',
    '    contains -- "$next" $known; and set path "$next"',
    '  end',
    '  echo "$path"',
    'end',
    ...nodes.map(
      (node) => `complete -c hes -n 'test (__hes_path) = "${node.path}"' -a '${node.words.join(' ')}'`,
    ),
    ...choicesOf(nodes).map(({ path, option, words }) => {
      const where = path === null ? '' : ` -n 'test (__hes_path) = "${path}"'`;
      return `complete -c hes${where} -l ${option.slice(2)} -x -a '${words.join(' ')}'`;
    }),
    '',
  ].join('\n');
}

function bash(nodes: readonly Node[]): string {
  const known = pathsOf(nodes)
    .map((path) => `"${path}"`)
    .join('|');
  const cases = nodes.map((node) => `    "${node.path}") words="${node.words.join(' ')}" ;;`);
  const choices = choicesOf(nodes).map(({ path, option, words }) => {
    const where = path === null ? `*" ${option}"` : `"${path} ${option}"`;
    return `    ${where}) words="${words.join(' ')}" ;;`;
  });
  return `_hes() {
  local path="" word next words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="\${path:+$path }$word"
    case "$next" in ${known}) path="$next" ;; esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  case "$path \${COMP_WORDS[COMP_CWORD-1]}" in
${choices.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [[ \${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _hes hes
`;
}
