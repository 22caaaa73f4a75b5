import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { checkSigners } from '../../../protocol/command/signers.ts';
import { takeCounters } from '../desk-client/counters.ts';
import { clientError } from '../desk-client/errors.ts';
import { type AtDesk, atDesk } from '../desk-client/open.ts';
import { personOf } from '../desk-client/person.ts';
import { processTerminal, type Terminal } from '../desk-client/terminal.ts';
import { usage } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { writeBundle } from './bundle.ts';
import { csvLine, parseCsv } from './csv.ts';
import { campaignCliError } from './errors.ts';
import { type CampaignDraft, type ReadLines, readLines, type Wanted } from './lines.ts';
import { progressBar } from './progress.ts';
import {
  campaignText,
  countsOf,
  FAULTS_SHOWN_MAX,
  faultsText,
  manifestText,
  standingsText,
  Variants,
  variantsText,
} from './render.ts';
import { type CampaignFlags, courseOf, type WaveFlags, wantedOf } from './settings.ts';
import { signCampaign, type ToSign } from './sign.ts';
import { STANDINGS, type Standing, type Stood, standingsOf } from './standing.ts';
import { uploadBundle } from './upload.ts';
import type { CampaignView } from './views.ts';

/** `hes op campaign check|dry-run|submit`: a file becomes a campaign. Everything is looked at before anything is signed. */

export interface MeterFlags {
  /** Standings whose meters are left out. */
  readonly skip?: ReadonlySet<Standing>;
  /** A file for the meters that the desk would refuse, and why. */
  readonly contact?: string;
}

export interface DeliverFlags {
  readonly json?: boolean;
  /** Seconds. */
  readonly patience?: number;
}

export interface SubmitFlags extends CampaignFlags, WaveFlags, MeterFlags, DeliverFlags {
  readonly resume?: string;
  readonly bundle?: string;
  readonly yes?: boolean;
}

const say = (text: string): void => {
  process.stdout.write(text);
};
const tell = (text: string): void => {
  process.stderr.write(text);
};

/** @throws ERR_CAMPAIGN_CSV */
function readFile(file: string): Uint8Array {
  try {
    return readFileSync(file === '-' ? 0 : file);
  } catch (cause) {
    throw campaignCliError('ERR_CAMPAIGN_CSV', `${file} cannot be read`, { cause });
  }
}

interface Checked extends ReadLines {
  readonly wanted: Wanted;
}

function check(file: string, flags: CampaignFlags, nowMs: number): Checked {
  const { tenant, role, person } = personOf(flags, processTerminal()).identity;
  const wanted = wantedOf(flags, tenant, nowMs);
  // A meter would refuse it for the role: no signature is made that says so.
  checkSigners(wanted.type, [{ role, person }], 'proposed');
  return { wanted, ...readLines(parseCsv(readFile(file)), wanted) };
}

/** @throws ERR_CAMPAIGN_LINES */
function checked(file: string, flags: CampaignFlags, nowMs: number): Checked {
  const read = check(file, flags, nowMs);
  if (read.faults.length === 0) return read;
  tell(faultsText(file, read.faults));
  throw campaignCliError(
    'ERR_CAMPAIGN_LINES',
    `${read.faults.length} faults in ${file}; nothing was signed`,
    {
      context: { faults: read.faults.length },
    },
  );
}

/** @returns the exit code */
export async function checkFile(file: string, { json = false, ...flags }: CampaignFlags): Promise<number> {
  const { faults, drafts, wanted } = check(file, flags, Date.now());
  const variants = variantsOf(drafts);
  if (json) {
    const told = { type: wanted.type, commands: drafts.length, faults: faults.length, variants };
    say(`${JSON.stringify({ ...told, firstFaults: faults.slice(0, FAULTS_SHOWN_MAX) })}\n`);
  } else if (faults.length > 0) tell(faultsText(file, faults));
  else say(`${drafts.length.toLocaleString('en-US')} commands of ${wanted.type}\n${variantsText(variants)}`);
  return faults.length === 0 ? EXIT.ok : EXIT.incomplete;
}

function variantsOf(drafts: readonly Pick<CampaignDraft, 'body'>[]): Variants['list'] {
  const variants = new Variants();
  for (const { body } of drafts) variants.add(body);
  return variants.list;
}

async function stand({ client, opened }: AtDesk, { drafts, wanted }: Checked): Promise<readonly Stood[]> {
  const progress = progressBar('meters', drafts.length);
  const { nowMs } = wanted;
  const stood = await standingsOf(client, opened.tenant, drafts, { nowMs, told: progress.at });
  progress.end();
  return stood;
}

/** Those who do not hear from the desk: a list for a letter or a visit. */
function writeContact(file: string | undefined, stood: readonly Stood[]): void {
  if (file === undefined) return;
  const lines = stood
    .filter(({ standing }) => STANDINGS[standing].refused)
    .map(({ draft, standing, meter }) => csvLine([draft.device, standing, meter?.airplaneSince ?? null]));
  writeFileSync(file, csvLine(['device', 'why', 'airplane since']) + lines.join(''), { mode: 0o600 });
}

/** @returns the exit code: whether the desk would take all of it by now */
export function dryRun(
  file: string,
  { json = false, ...flags }: CampaignFlags & MeterFlags,
): Promise<number> {
  const read = checked(file, flags, Date.now());
  return atDesk(flags, async (desk) => {
    const stood = await stand(desk, read);
    writeContact(flags.contact, stood);
    const standings = countsOf(stood.map(({ standing }) => standing));
    const prepaid = stood.filter(({ meter }) => meter?.creditMode === 'prepaid').length;
    const left = kept(stood, flags.skip);
    const variants = variantsOf(left.map(({ draft }) => draft));
    const refused = left.filter(({ standing }) => STANDINGS[standing].refused).length;
    const told = { type: read.wanted.type, lines: stood.length, standings, prepaid, commands: left.length };
    if (json) say(`${JSON.stringify({ ...told, refused, variants })}\n`);
    else {
      const prepaidText = `  ${prepaid.toLocaleString('en-US').padStart(9)}   of all in prepayment\n`;
      say(`${stood.length.toLocaleString('en-US')} lines of ${read.wanted.type}, whose meters are\n`);
      say(`${standingsText(standings)}${prepaidText}`);
      say(`${left.length.toLocaleString('en-US')} commands\n${variantsText(variants)}`);
      if (refused > 0)
        say(
          `The desk would refuse ${refused.toLocaleString('en-US')} of them: --skip refused leaves them out.\n`,
        );
    }
    return refused === 0 ? EXIT.ok : EXIT.refused;
  });
}

const kept = (stood: readonly Stood[], skip: MeterFlags['skip']): readonly Stood[] =>
  skip === undefined ? stood : stood.filter(({ standing }) => !skip.has(standing));

/** @returns the exit code */
export function submit(file: string | undefined, flags: SubmitFlags): Promise<number> {
  const { resume } = flags;
  if (resume !== undefined) return atDesk(flags, (desk) => deliver(desk, resume, flags));
  if (file === undefined) throw usage('name the file of the campaign, or go on with --resume FILE.signed');
  const read = checked(file, flags, Date.now());
  return atDesk(flags, async (desk) => {
    const stood = await stand(desk, read);
    writeContact(flags.contact, stood);
    const left = kept(stood, flags.skip);
    const refused = left.filter(({ standing }) => STANDINGS[standing].refused).length;
    if (refused > 0) {
      tell(standingsText(countsOf(stood.map(({ standing }) => standing))));
      throw campaignCliError('ERR_CAMPAIGN_METERS', `the desk would refuse ${refused} of ${left.length}`, {
        context: { refused },
      });
    }
    if (left.length === 0) throw campaignCliError('ERR_CAMPAIGN_METERS', 'no meter is left');
    const { type, notBefore, expiry, reason } = read.wanted;
    const drafts = left.map(({ draft }) => draft);
    const course = courseOf(flags);
    return signAndDeliver(
      desk,
      { tenant: desk.opened.tenant, type, notBefore, expiry, course, reason, parent: null, drafts },
      { ...flags, bundle: flags.bundle ?? `${file === '-' ? 'campaign' : file}.signed` },
    );
  });
}

/** What was asked for once is shown, confirmed, signed into a file, and the file goes to the desk. */
export async function signAndDeliver(
  desk: AtDesk,
  toSign: ToSign,
  flags: DeliverFlags & { readonly bundle: string; readonly yes?: boolean },
): Promise<number> {
  const { drafts, course } = toSign;
  const shown = { ...toSign, ...course, count: drafts.length };
  tell(manifestText(shown) + variantsText(variantsOf(drafts)));
  await confirmCount(drafts.length, { yes: flags.yes ?? false, terminal: desk.terminal });
  const bundle = writeBundle(flags.bundle);
  try {
    const nowMs = Date.now();
    const progress = progressBar('signing', drafts.length);
    const counters = takeCounters(desk.person.file, nowMs, drafts.length);
    const { signer } = desk.opened;
    const { proposal } = await signCampaign(toSign, { signer, counters, nowMs, bundle, progress });
    progress.end();
    bundle.end(proposal);
  } catch (error) {
    bundle.discard();
    throw error;
  }
  return deliver(desk, flags.bundle, flags);
}

/** @throws ERR_OP_CONFIRM, ERR_OP_DECLINED */
export async function confirmCount(
  count: number,
  { yes, terminal }: { readonly yes: boolean; readonly terminal: Terminal },
): Promise<void> {
  if (yes) return;
  if (!terminal.present)
    throw clientError('ERR_OP_CONFIRM', 'a campaign is confirmed at a terminal: without one say --yes');
  const typed = await terminal.ask(`To sign, type how many commands they are (empty to stop): `);
  if (typed.replace(/[\s.,']/g, '') !== String(count))
    throw clientError('ERR_OP_DECLINED', 'not confirmed: nothing was signed');
}

async function deliver(
  { client }: AtDesk,
  bundle: string,
  { json = false, patience }: DeliverFlags,
): Promise<number> {
  let campaign: CampaignView;
  try {
    campaign = await uploadBundle(client, bundle, {
      progressOf: (total) => progressBar('upload', total),
      ...(patience === undefined ? {} : { patience }),
    });
  } catch (error) {
    tell(`What was signed is in ${bundle}: hes op campaign submit --resume ${bundle}\n`);
    throw error;
  }
  const isWhole = campaign.state !== 'uploading';
  if (isWhole) rmSync(bundle, { force: true });
  say(json ? `${JSON.stringify(campaign)}\n` : campaignText(campaign));
  return isWhole && campaign.state !== 'stopped' ? EXIT.ok : EXIT.incomplete;
}
