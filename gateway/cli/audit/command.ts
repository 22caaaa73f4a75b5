import { type Command, Option } from 'commander';
import { deskOptions } from '../desk-client/flags.ts';
import { wholeNumber } from '../numbers.ts';
import type { AuditExportFlags, AuditListFlags, AuditUsageFlags } from './audit.ts';
import type { AuditVerifyFlags } from './verify.ts';

const ROWS_MAX = 1_000_000_000;

/** `hes audit …`: who did what, when, at which meter and why. */
export function addAuditCommands(program: Command): void {
  const audit = deskOptions(
    program
      .command('audit')
      .description('the audit of a desk: list, export for a SIEM, verify its chain, usage in numbers')
      .enablePositionalOptions(),
    { hidden: true },
  );
  deskOptions(
    audit
      .command('list')
      .description('list rows of the audit, the oldest first')
      .option('--after <n>', 'those after row n (default: the last ones)', wholeNumber(0, ROWS_MAX))
      .option('--limit <n>', 'so many at most (default 50)', wholeNumber(1, ROWS_MAX))
      .option('--json', 'print an array of objects'),
  ).action(async (flags: AuditListFlags) => {
    const { listAudit } = await import('./audit.ts');
    process.exitCode = await listAudit(flags);
  });
  deskOptions(
    audit
      .command('export')
      .description('write rows of the audit, for a SIEM or to verify them')
      .option('--after <n>', 'those after row n (default: all)', wholeNumber(0, ROWS_MAX))
      .addOption(
        new Option(
          '--format <format>',
          'JSON lines, or syslog messages (RFC 5424); only JSON lines can be verified',
        )
          .choices(['json', 'syslog'])
          .default('json'),
      )
      .option(
        '--enterprise <n>',
        'with syslog: private enterprise number of the operator',
        wholeNumber(1, 2 ** 31 - 1),
      )
      .option('--out <file>', 'where to (default: standard output); a file that is there is not replaced'),
  ).action(async (flags: AuditExportFlags) => {
    const { exportAudit } = await import('./audit.ts');
    process.exitCode = await exportAudit(flags);
  });
  deskOptions(
    audit
      .command('verify')
      .description('verify the chain of an export or of a database, off-line; or of the desk itself')
      .argument('[file]', 'JSON lines or a database; - reads standard input (default: the desk is asked)')
      .option(
        '--head <n:hash>',
        'a row as it was known elsewhere (a SIEM, a printed number), may be repeated: without one, missing last rows and a chain that was written anew do not show',
        (text: string, before: readonly string[] | undefined) => [...(before ?? []), text],
      )
      .option('--json', 'print what was found as JSON'),
  ).action(async (file: string | undefined, flags: AuditVerifyFlags) => {
    const { verifyAuditFile } = await import('./verify.ts');
    process.exitCode = await verifyAuditFile(file, flags);
  });
  deskOptions(
    audit
      .command('usage')
      .description('how much the desk is used, in numbers that name nobody')
      .addOption(
        new Option('--by <period>', 'over 31 days, 20 weeks or 20 months')
          .choices(['day', 'week', 'month'])
          .default('day'),
      )
      .option('--json', 'print an array of objects'),
  ).action(async (flags: AuditUsageFlags) => {
    const { auditUsage } = await import('./audit.ts');
    process.exitCode = await auditUsage(flags);
  });
}
