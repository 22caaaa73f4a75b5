import { Argument, type Command } from 'commander';
import { wholeNumber } from '../numbers.ts';
import { commonFlags, type PkiFlags, secretFlags } from './flags.ts';
import type { RolloverFlags } from './rollover.ts';

/** Words of `rollover start`; the module that knows them is loaded when it runs. */
const KINDS = ['sealing', 'field', 'office'] as const;
const LEAD_HOURS_MAX = 8_760;
const OVERLAP_DAYS_MAX = 3_660;
const CAS = 'the issuing CAs';

export function addRolloverCommands(pki: Command): void {
  const notice = pki
    .command('notice')
    .description(
      'sign what devices are told of the sealing key, office CAs and revoked people, if it changed',
    );
  secretFlags(notice, '', CAS);
  commonFlags(notice, 'tenant', 'data', 'json', 'dryRun').action(async (flags: PkiFlags) => {
    const { pkiNotice } = await import('./notice.ts');
    await pkiNotice(flags);
  });

  const rollover = pki
    .command('rollover')
    .description('another sealing key or issuing CA while the fleet goes on sending: start, switch, finish');

  const start = rollover
    .command('start')
    .description('make the new one and put it beside the present one; for development go on to using it')
    .addArgument(
      new Argument('<what>', 'the sealing key, or the issuing CA of field or office').choices(KINDS),
    )
    .option(
      '--lead-hours <n>',
      'until it is in force everywhere and may be used (default 24)',
      wholeNumber(0, LEAD_HOURS_MAX),
    )
    .option(
      '--overlap-days <n>',
      'how long the old one stays after that (default 100, at least 70)',
      wholeNumber(0, OVERLAP_DAYS_MAX),
    );
  secretFlags(start, '', CAS);
  secretFlags(start, 'root-', 'the root, for a new CA');
  secretFlags(start, 'service-', 'the sealing keys; otherwise that of the CAs');
  commonFlags(start, 'tenant', 'data', 'json', 'dryRun').action(
    async (kind: (typeof KINDS)[number], flags: RolloverFlags) => {
      const { rolloverStart } = await import('./rollover.ts');
      await rolloverStart(kind, flags);
    },
  );

  const status = rollover.command('status').description('how far each roll-over has come');
  commonFlags(status, 'tenant', 'data', 'json').action(async (flags: RolloverFlags) => {
    const { rolloverStatus } = await import('./rollover.ts');
    rolloverStatus(flags);
  });

  const change = rollover
    .command('switch')
    .description('use the new one from here on: devices are told, the new CA issues')
    .option('--now', 'before its date: front, router and desk have the new files');
  secretFlags(change, '', CAS);
  commonFlags(change, 'tenant', 'data', 'json', 'dryRun').action(async (flags: RolloverFlags) => {
    const { rolloverSwitch } = await import('./rollover.ts');
    await rolloverSwitch(flags);
  });

  const finish = rollover
    .command('finish')
    .description('destroy the old key, from its date on')
    .option('--even-if-used', 'also where certificates of the old CA are in use: they are refused then');
  secretFlags(finish, '', CAS);
  commonFlags(finish, 'tenant', 'data', 'json', 'dryRun').action(async (flags: RolloverFlags) => {
    const { rolloverFinish } = await import('./rollover.ts');
    await rolloverFinish(flags);
  });
}
