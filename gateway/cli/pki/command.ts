import type { Command } from 'commander';
import type { PkiEnrolFlags } from './enrol.ts';

/** `hes pki …`: keys and certificates on the operator's side. */
export function addPkiCommands(program: Command): void {
  const pki = program.command('pki').description('keys and certificates');

  pki
    .command('init')
    .description(
      'make a development PKI: field root, issuing CA, sealing key per operator, front certificate',
    )
    .option('--data <folder>', 'data folder (default .hes)')
    .option('--tenants <list>', 'operators, separated by commas (default: the consortium)')
    .option('--json', 'print what was made as JSON')
    .action(async (flags: { data?: string; tenants?: string; json?: boolean }) => {
      const { pkiInit } = await import('./init.ts');
      await pkiInit(flags);
    });

  pki
    .command('enrol')
    .description('certify the keys of a device that asked with `hes edge enrol`, and register it')
    .argument('<request>', 'what the device wrote; - reads standard input')
    .option('--data <folder>', 'data folder of the development PKI (default .hes)')
    .option(
      '--device <id>',
      'give it this id, of a device whose keys were lost (default: a fresh random one)',
    )
    .option('--out <file>', 'where the answer goes (default: standard output)')
    .option('--json', 'with --out: print what was done as JSON')
    .action(async (request: string, flags: PkiEnrolFlags) => {
      const { pkiEnrol } = await import('./enrol.ts');
      await pkiEnrol(request, flags);
    });
}
