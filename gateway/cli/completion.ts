import type { Command } from 'commander';

/** Completion scripts, drawn from the program itself so that they cannot lag behind it. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

interface Node {
  readonly path: string;
  readonly words: readonly string[];
}

function walk(command: Command, path = ''): Node[] {
  const children = command.commands.filter((child) => !child.name().startsWith('_'));
  const flags = command.options.filter((option) => !option.hidden).map((option) => option.long!);
  const words = [...children.map((child) => child.name()), ...flags, '--help'];
  return [{ path, words }, ...children.flatMap((child) => walk(child, `${path} ${child.name()}`.trim()))];
}

export function completionScript(program: Command, shell: Shell): string {
  return SCRIPTS[shell](walk(program));
}

const SCRIPTS: Readonly<Record<Shell, (nodes: readonly Node[]) => string>> = {
  bash: bash,
  zsh: (nodes) => `#compdef hes\nautoload -U +X bashcompinit && bashcompinit\n${bash(nodes)}`,
  fish: (nodes) =>
    [
      'function __hes_path',
      '  string join " " (commandline -opc)[2..] | string replace -ra -- "--?\\S+" "" | string trim',
      'end',
      ...nodes.map(
        (node) => `complete -c hes -n 'test (__hes_path) = "${node.path}"' -a '${node.words.join(' ')}'`,
      ),
      '',
    ].join('\n'),
};

function bash(nodes: readonly Node[]): string {
  const cases = nodes.map((node) => `    "${node.path}") words="${node.words.join(' ')}" ;;`);
  return `_hes() {
  local path="" word words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] || path="\${path:+$path }$word"
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [[ \${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _hes hes
`;
}
