import type { Command } from 'commander';
import { deskOptions } from '../desk-client/flags.ts';
import { wholeNumber } from '../numbers.ts';
import type { MeterListFlags, MeterShowFlags } from './meter.ts';

/** `hes meter …`: what a desk knows of its meters; never a reading. */
export function addMeterCommands(program: Command): void {
  const meter = deskOptions(
    program
      .command('meter')
      .description('the meters of a desk: tariff plan, credit mode, breaker, airplane mode')
      .enablePositionalOptions(),
    { hidden: true },
  );
  deskOptions(
    meter
      .command('list')
      .description('list meters')
      .option('--airplane', 'those in airplane mode, with since when')
      .option('--prepaid', 'those in prepayment')
      .option('--limit <n>', 'so many at most (default: all)', wholeNumber(1, 100_000_000))
      .option('--json', 'print an array of objects'),
  ).action(async (flags: MeterListFlags) => {
    const { listMeters } = await import('./meter.ts');
    process.exitCode = await listMeters(flags);
  });
  deskOptions(
    meter
      .command('show')
      .description('show a meter')
      .argument('<device>', 'the meter: 16 hex digits')
      .option('--json', 'print it as JSON'),
  ).action(async (device: string, flags: MeterShowFlags) => {
    const { showMeter } = await import('./meter.ts');
    process.exitCode = await showMeter(device, flags);
  });
}
