import type { Command } from 'commander';
import type { EdgeEnrolFlags } from './enrol.ts';

/** `hes edge enrol`, below the group of `hes edge` commands. */
export function addEdgeEnrol(edge: Command): void {
  edge
    .command('enrol')
    .description(
      "make this device's keys and a request for its operator; with --answer, take the certificates that came back; with --est, all in one go",
    )
    .option('--config <file>', 'edge.yaml: the identity file and the mode are taken from it')
    .option('--identity <file>', 'where the identity will be (default: the one device of --config)')
    .option('--home <tenant>', 'the operator whose device this is')
    .option(
      '--guest <tenant>',
      'another operator whose meter is behind it, may be repeated (default: the owners of --config)',
      (tenant: string, before: readonly string[] | undefined) => [...(before ?? []), tenant],
    )
    .option('--root <file>', "the field root's certificate (PEM): no other is taken")
    .option('--root-fingerprint <sha256>', 'or its fingerprint, as the operator published it')
    .option('--out <file>', 'where the request goes (default: standard output)')
    .option('--answer <file>', "the operator's answer; - reads standard input")
    .option('--est <url>', "enrol by the operator's EST server, https://host[:port], in one go")
    .option('--servername <name>', "the name in that server's certificate, where it is not the host")
    .option('--code-file <file>', 'the one-time code for it; - reads standard input')
    .option('--birth-certificate <file>', "or the manufacturer's certificate of this device (PEM)")
    .option('--birth-key <file>', 'and its key (PEM, mode 0600)')
    .option('--development', 'with --identity alone: take certificates of a development PKI')
    .option('--json', 'print what was done as JSON')
    .action(async (flags: EdgeEnrolFlags) => {
      const { edgeEnrol } = await import('./enrol.ts');
      await edgeEnrol(flags);
    });
}
