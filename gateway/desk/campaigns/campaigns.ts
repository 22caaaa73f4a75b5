import type { DeviceId } from '../../../protocol/identity.ts';
import type { DeskContext } from '../context.ts';
import type { Meter } from '../registry/meter.ts';
import type { StoredCommand } from '../store/port.ts';
import { approve, countersign } from './approve.ts';
import { knownCampaign } from './common.ts';
import { type CampaignAsk, pause, resume, stop } from './control.ts';
import type { CampaignId } from './id.ts';
import type { WaveCounts } from './lifecycle/rules.ts';
import { decodeManifest, type Manifest } from './manifest.ts';
import { CampaignRunner } from './runner.ts';
import type { ItemResult, ItemState, SignedItem, StoredCampaign } from './store/port.ts';
import { submit, upload } from './submit.ts';

/** The campaigns of a desk: what people ask for, and the runner that carries it out. */

export interface ShownCampaign {
  readonly stored: StoredCampaign;
  readonly manifest: Manifest;
  readonly waves: readonly WaveCounts[];
}

export interface Campaigns {
  submit(given: Parameters<typeof submit>[1]): Promise<StoredCampaign>;
  upload(chunk: Parameters<typeof upload>[1]): Promise<StoredCampaign>;
  countersign(chunk: Parameters<typeof countersign>[1]): Promise<StoredCampaign>;
  approve(given: Parameters<typeof approve>[1]): Promise<StoredCampaign>;
  pause(ask: CampaignAsk): Promise<StoredCampaign>;
  resume(ask: CampaignAsk): Promise<StoredCampaign>;
  stop(ask: CampaignAsk): Promise<StoredCampaign>;
  /** The newest first. */
  list(page: { readonly before?: number; readonly limit: number }): Promise<readonly ShownCampaign[]>;
  /** @throws ERR_CAMPAIGN */
  show(id: CampaignId): Promise<ShownCampaign>;
  /** @throws ERR_CAMPAIGN */
  results(
    id: CampaignId,
    page: { readonly after: number; readonly limit: number; readonly state?: ItemState },
  ): Promise<readonly ItemResult[]>;
  /** The commands as they were signed. @throws ERR_CAMPAIGN */
  commands(id: CampaignId, from: number, limit: number): Promise<readonly SignedItem[]>;
  /** What the registry has of these devices; undefined in the place of one that it has not. */
  meters(devices: readonly DeviceId[]): Promise<readonly (Meter | undefined)[]>;

  /** The desk told of a change. */
  changed(command: StoredCommand): void;
  start(): void;
  /** Resolves once the step in hand has ended. */
  end(): Promise<void>;
  /** One step of each campaign, for a test that is the clock. @returns whether there is more to do at once */
  pass(): Promise<boolean>;
}

export function createCampaigns(context: DeskContext, onFault?: (error: unknown) => void): Campaigns {
  const { store } = context;
  const runner = new CampaignRunner(context, onFault);

  async function kicked(work: Promise<StoredCampaign>): Promise<StoredCampaign> {
    const campaign = await work;
    runner.kick();
    return campaign;
  }
  const known = async (id: CampaignId): Promise<StoredCampaign> =>
    knownCampaign(await store.campaigns.campaign(id));
  const shown = async (stored: StoredCampaign): Promise<ShownCampaign> => ({
    stored,
    // To be read by people: what runs is what the signatures hold over (proven.ts).
    manifest: decodeManifest(stored.manifest),
    waves: await store.campaigns.waves(stored),
  });

  return {
    submit: (given) => submit(context, given),
    upload: (chunk) => upload(context, chunk),
    countersign: (chunk) => countersign(context, chunk),
    approve: (given) => kicked(approve(context, given)),
    pause: (ask) => kicked(pause(context, ask)),
    resume: (ask) => kicked(resume(context, ask)),
    stop: (ask) => kicked(stop(context, ask)),
    async list(page) {
      return Promise.all((await store.campaigns.campaigns(page)).map(shown));
    },
    show: async (id) => shown(await known(id)),
    results: async (id, page) => store.campaigns.results(await known(id), page),
    commands: async (id, from, limit) => store.campaigns.signed(await known(id), from, limit),
    meters: (devices) => Promise.all(devices.map((device) => store.meter(device))),
    changed: (command) => runner.changed(command),
    start: () => runner.start(),
    end: () => runner.stop(),
    pass: () => runner.pass(),
  };
}
