import { campaignError } from '../errors.ts';

/** The life of a campaign as a table, as commands have theirs (../../lifecycle). */

export const CAMPAIGN_STATES = {
  uploading: { terminal: false, holds: true, says: 'its commands are on their way to the desk' },
  'awaiting-approval': { terminal: false, holds: true, says: 'waits for the approval of a second person' },
  running: { terminal: false, holds: false, says: 'its waves run' },
  paused: { terminal: false, holds: true, says: 'was paused by somebody' },
  halted: { terminal: false, holds: true, says: 'stopped by itself: too many meters failed' },
  stopping: { terminal: false, holds: true, says: 'takes back what was not sent' },
  done: { terminal: true, holds: true, says: 'every command has ended' },
  stopped: { terminal: true, holds: true, says: 'was stopped; what was not sent never will be' },
  expired: { terminal: true, holds: true, says: 'was not approved before its commands ended' },
} as const satisfies Readonly<
  Record<
    string,
    {
      readonly terminal: boolean;
      /** Nothing of it leaves the desk's queue. */
      readonly holds: boolean;
      readonly says: string;
    }
  >
>;
export type CampaignState = keyof typeof CAMPAIGN_STATES;
export const ALL_CAMPAIGN_STATES = Object.keys(CAMPAIGN_STATES) as readonly CampaignState[];
export const OPEN_CAMPAIGN_STATES = ALL_CAMPAIGN_STATES.filter((state) => !CAMPAIGN_STATES[state].terminal);
/** Where the runner has something to do or to watch. */
export const RUNNING_STATES = ['running', 'stopping'] as const;
export const isCampaignState = (text: unknown): text is CampaignState =>
  typeof text === 'string' && Object.hasOwn(CAMPAIGN_STATES, text);

/** Whose doing a transition is. */
export type CampaignActor = 'person' | 'approver' | 'desk' | 'clock';

interface Transition {
  readonly from: readonly CampaignState[];
  readonly to: CampaignState;
  readonly by: CampaignActor;
  readonly says: string;
}

const BEGUN = ['running', 'paused', 'halted'] as const;
const UNBEGUN = ['uploading', 'awaiting-approval'] as const;

export const CAMPAIGN_TRANSITIONS = {
  'campaign-uploaded': {
    from: ['uploading'],
    to: 'awaiting-approval',
    by: 'desk',
    says: 'all commands of a campaign are there, and are those of its manifest',
  },
  'campaign-spoiled': {
    from: ['uploading', 'awaiting-approval', ...BEGUN],
    to: 'stopped',
    by: 'desk',
    says: 'the commands of a campaign are not those of its manifest',
  },
  'campaign-approved': {
    from: ['awaiting-approval'],
    to: 'running',
    by: 'approver',
    says: 'another person signed the manifest of a campaign, which runs from now on',
  },
  'campaign-paused': { from: ['running'], to: 'paused', by: 'person', says: 'somebody paused a campaign' },
  'campaign-resumed': {
    from: ['paused'],
    to: 'running',
    by: 'person',
    says: 'somebody let a campaign go on that was paused',
  },
  'campaign-halted': {
    from: ['running'],
    to: 'halted',
    by: 'desk',
    says: 'a campaign stopped by itself: above its error limit',
  },
  'campaign-forgiven': {
    from: ['halted'],
    to: 'running',
    by: 'approver',
    says: 'somebody with the approving role let a campaign go on that had stopped by itself',
  },
  'campaign-withdrawn': {
    from: UNBEGUN,
    to: 'stopped',
    by: 'person',
    says: 'somebody stopped a campaign before it began',
  },
  'campaign-stopping': { from: BEGUN, to: 'stopping', by: 'person', says: 'somebody stopped a campaign' },
  'campaign-over': {
    from: BEGUN,
    to: 'stopping',
    by: 'clock',
    says: 'the validity of the commands of a campaign ended before it did',
  },
  'campaign-stopped': {
    from: ['stopping'],
    to: 'stopped',
    by: 'desk',
    says: 'a stopped campaign has nothing under way any more',
  },
  'campaign-done': {
    from: ['running'],
    to: 'done',
    by: 'desk',
    says: 'every command of a campaign has ended',
  },
  'campaign-expired': {
    from: UNBEGUN,
    to: 'expired',
    by: 'clock',
    says: 'the validity of the commands of a campaign ended before it was approved',
  },
} as const satisfies Readonly<Record<string, Transition>>;
export type CampaignCause = keyof typeof CAMPAIGN_TRANSITIONS;
export const CAMPAIGN_CAUSES = Object.keys(CAMPAIGN_TRANSITIONS) as readonly CampaignCause[];

/** The state that a cause leads to; undefined where it leads nowhere from here. */
export function nextCampaignState(from: CampaignState, cause: CampaignCause): CampaignState | undefined {
  const transition: Transition = CAMPAIGN_TRANSITIONS[cause];
  return transition.from.includes(from) ? transition.to : undefined;
}

/** @throws ERR_CAMPAIGN_STATE */
export function stepCampaign(from: CampaignState, cause: CampaignCause): CampaignState {
  const to = nextCampaignState(from, cause);
  if (to === undefined)
    throw campaignError('ERR_CAMPAIGN_STATE', `a campaign that is ${from} cannot be ${cause.slice(9)}`, {
      context: { state: from, cause },
    });
  return to;
}
