import type { Command } from 'commander';
import { deskOptions } from '../desk-client/flags.ts';
import { wholeNumber } from '../numbers.ts';
import { instantSeconds, spanSeconds } from '../op/command.ts';
import type { ApproveCampaignFlags } from './approve.ts';
import type { LookFlags, ResultsFlags, WatchFlags } from './look.ts';
import type { CampaignFlags } from './settings.ts';
import { permilleOfText, standingsOfText, waveSecondsOfText, wavesOfText } from './settings.ts';
import type { MeterFlags, SubmitFlags } from './submit.ts';

/** `hes op campaign …`: many commands of one kind, signed here, approved by a second person, sent in waves. */

const collect = (one: string, all: readonly string[] = []): readonly string[] => [...all, one];

function lineOptions(command: Command): Command {
  return command
    .option('--type <type>', 'what each command is, as tariff.set')
    .option('--set <name=value>', 'an argument of all of them; a column of the file says otherwise', collect)
    .option('--reason <text>', 'why; a column `reason` says otherwise')
    .option('--not-before <time>', 'not valid before, as 2027-01-01T00:00:00+01:00', instantSeconds)
    .option('--valid-for <span>', 'how long they are valid, as 30d', spanSeconds)
    .option('--json', 'print the answer as JSON');
}

function meterOptions(command: Command): Command {
  return command
    .option(
      '--skip <standings>',
      'leave out meters that are: airplane, prepaid, foreign, unknown, already; or refused for all that the desk would refuse',
      standingsOfText,
    )
    .option('--contact <file>', 'write the meters that the desk would refuse to a CSV, each with why');
}

function waveOptions(command: Command): Command {
  return command
    .option('--waves <sizes>', 'sizes of the first waves, or all (default 10,100,1000)', wavesOfText)
    .option('--error-limit <percent>', 'stops by itself above (default 5)', permilleOfText)
    .option('--wave-time <span>', 'silent meters count as failed after (default 2d)', (text) =>
      waveSecondsOfText(spanSeconds(text)),
    );
}

const signOptions = (command: Command): Command =>
  command
    .option('--bundle <file>', 'where signed commands lie until the desk has them')
    .option('--patience <span>', 'how long a lost connection is tried again (default 90s)', spanSeconds)
    .option('-y, --yes', 'do not ask');

export function addCampaignCommands(op: Command): void {
  const campaign = op
    .command('campaign')
    .description('many commands out of a CSV file: check, sign, approve, follow');

  deskOptions(
    lineOptions(
      campaign
        .command('check')
        .description('check every line of a file; nothing is asked or signed')
        .argument('<file>', 'CSV; - reads standard input'),
    ),
  ).action(async (file: string, flags: CampaignFlags) => {
    const { checkFile } = await import('./submit.ts');
    process.exitCode = await checkFile(file, flags);
  });

  deskOptions(
    meterOptions(
      lineOptions(
        campaign
          .command('dry-run')
          .description('check a file, and count how its meters stand; nothing is signed')
          .argument('<file>', 'CSV; - reads standard input'),
      ),
    ),
  ).action(async (file: string, flags: CampaignFlags & MeterFlags) => {
    const { dryRun } = await import('./submit.ts');
    process.exitCode = await dryRun(file, flags);
  });

  deskOptions(
    signOptions(
      waveOptions(
        meterOptions(
          lineOptions(
            campaign
              .command('submit')
              .description('sign every command of a file and upload them: they wait for an approval')
              .argument('[file]', 'CSV; - reads standard input')
              .option('--resume <file>', 'go on with the upload of what was signed before'),
          ),
        ),
      ),
    ),
  ).action(async (file: string | undefined, flags: SubmitFlags) => {
    const { submit } = await import('./submit.ts');
    process.exitCode = await submit(file, flags);
  });

  deskOptions(
    campaign
      .command('approve')
      .description('verify every command of a campaign, and put the second name under it: then it runs')
      .argument('<id>', 'the campaign')
      .option('-y, --yes', 'do not ask')
      .option('--json', 'print the campaign as JSON'),
  ).action(async (id: string, flags: ApproveCampaignFlags) => {
    const { approveCampaign } = await import('./approve.ts');
    process.exitCode = await approveCampaign(id, flags);
  });

  for (const [what, says] of [
    ['pause', 'let nothing of it leave the queue until it is resumed'],
    ['resume', 'let it go on; one that stopped by itself only by an approver'],
    ['stop', 'end it: what was not sent is taken back'],
  ] as const)
    deskOptions(
      campaign
        .command(what)
        .description(says)
        .argument('<id>', 'the campaign')
        .option('--reason <text>', 'why, for the audit')
        .option('--json', 'print the campaign as JSON'),
    ).action(async (id: string, flags: LookFlags & { reason?: string }) => {
      const { changeCampaign } = await import('./look.ts');
      process.exitCode = await changeCampaign(what, id, flags);
    });

  deskOptions(
    signOptions(
      waveOptions(
        campaign
          .command('retry')
          .description('sign those that failed once more, as a campaign of its own')
          .argument('<id>', 'the campaign')
          .option('--reason <text>', 'why (default: as before)')
          .option('--not-before <time>', 'not valid before', instantSeconds)
          .option('--valid-for <span>', 'how long they are valid (default: as before)', spanSeconds)
          .option('--json', 'print the campaign as JSON'),
      ),
    ),
  ).action(async (id: string, flags: SubmitFlags) => {
    const { retryCampaign } = await import('./retry.ts');
    process.exitCode = await retryCampaign(id, flags);
  });

  addLooks(campaign);
}

function addLooks(campaign: Command): void {
  deskOptions(
    campaign
      .command('list')
      .description('campaigns, the newest first')
      .option('--limit <n>', 'so many at most (default 20)', wholeNumber(1, 100_000))
      .option('--json', 'print an array of objects'),
  ).action(async (flags: LookFlags & { limit?: number }) => {
    const { listCampaigns } = await import('./look.ts');
    process.exitCode = await listCampaigns(flags);
  });

  deskOptions(
    campaign
      .command('show')
      .description('one campaign, with its waves')
      .argument('<id>', 'the campaign')
      .option('--json', 'print it as JSON'),
  ).action(async (id: string, flags: LookFlags) => {
    const { showCampaign } = await import('./look.ts');
    process.exitCode = await showCampaign(id, flags);
  });

  deskOptions(
    campaign
      .command('watch')
      .description('follow it until its end, or until somebody has to do something; the exit code says which')
      .argument('<id>', 'the campaign')
      .option('--timeout <seconds>', 'no longer than so', wholeNumber(1, 31 * 86_400))
      .option('--json', 'print a JSON object at each change'),
  ).action(async (id: string, flags: WatchFlags) => {
    const { watchCampaign } = await import('./look.ts');
    process.exitCode = await watchCampaign(id, flags);
  });

  deskOptions(
    campaign
      .command('results')
      .description('what became of each command: a CSV')
      .argument('<id>', 'the campaign')
      .option('--state <state>', 'those only: ready, open, done, failed or skipped')
      .option('--out <file>', 'into a file')
      .option('--json', 'print JSON lines instead'),
  ).action(async (id: string, flags: ResultsFlags) => {
    const { campaignResults } = await import('./look.ts');
    process.exitCode = await campaignResults(id, flags);
  });
}
