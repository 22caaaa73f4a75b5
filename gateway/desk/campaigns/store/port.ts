import type { CommandId } from '../../../../protocol/command/id.ts';
import type { Role } from '../../../../protocol/command/roles.ts';
import type { CommandType } from '../../../../protocol/command/table.ts';
import type { DeviceId } from '../../../../protocol/identity.ts';
import type { StoredState } from '../../lifecycle/states.ts';
import type { CampaignId } from '../id.ts';
import type { Forgiven, WaveCounts } from '../lifecycle/rules.ts';
import type { CampaignState } from '../lifecycle/states.ts';

/**
 * Where campaigns are kept: in the desk's own store and its own transactions, so that a command enters the queue in
 * the same moment as the campaign knows of it. Once it is there its item follows it by itself, in the transaction
 * that ends the command: whatever is killed in between, the two agree.
 */

export interface NewCampaign {
  readonly id: CampaignId;
  readonly type: CommandType;
  readonly person: string;
  readonly role: Role;
  readonly count: number;
  /** SHA-256 of the manifest, hex. */
  readonly digest: string;
  readonly manifest: Uint8Array;
  /** COSE_Sign1 over the manifest by whoever submitted it. */
  readonly proposal: Uint8Array;
  readonly reason: string | null;
  readonly parent: CampaignId | null;
  /** Epoch seconds. */
  readonly expiry: number;
  readonly createdAtMs: number;
}

export interface CampaignChange {
  readonly state?: CampaignState;
  readonly changedAtMs?: number;
  readonly approval?: Uint8Array;
  readonly approver?: string;
  /** Commands that are there; second signatures that are there, and whose they are. */
  readonly received?: number;
  readonly countersigned?: number;
  readonly countersigner?: string;
  /** The running wave, from 0. */
  readonly wave?: number;
  readonly forgiven?: Forgiven;
  readonly code?: string | null;
}

export interface StoredCampaign extends NewCampaign {
  /** Rising in the order of submission. */
  readonly seq: number;
  readonly state: CampaignState;
  readonly changedAtMs: number;
  readonly approval: Uint8Array | null;
  readonly approver: string | null;
  readonly received: number;
  readonly countersigned: number;
  readonly countersigner: string | null;
  readonly wave: number | null;
  readonly forgiven: Forgiven;
  /** Why it stands where it stands: what halted it, or the code of an error. */
  readonly code: string | null;
}

export interface NewItem {
  /** Its place in the manifest, from 0. */
  readonly n: number;
  readonly wave: number;
  readonly device: DeviceId;
  readonly command: CommandId;
  /** SHA-256 of the bytes that were signed, hex. */
  readonly digest: string;
  readonly signed: Uint8Array;
}

/** `open`: in the desk's queue or beyond. The other three are the end. */
export const ITEM_STATES = ['ready', 'open', 'done', 'failed', 'skipped'] as const;
export type ItemState = (typeof ITEM_STATES)[number];

export interface StoredItem extends Omit<NewItem, 'signed'> {
  readonly state: ItemState;
  /** How it ended: a command's state, or `rejected` where the desk did not take it any more. */
  readonly outcome: StoredState | 'rejected' | null;
  /** A device's result code, or the code of the desk's error. */
  readonly code: string | null;
  readonly fedAtMs: number | null;
  readonly endedAtMs: number | null;
}

export interface SignedItem {
  readonly n: number;
  readonly device: DeviceId;
  readonly signed: Uint8Array;
}

export type ItemEnd = Pick<StoredItem, 'state' | 'outcome' | 'code'> & { readonly endedAtMs: number };

/** An item with what its device said after its command had ended. */
export interface ItemResult extends StoredItem {
  readonly late: string | null;
}

/** What a transaction of the desk does to campaigns. */
export interface CampaignTransaction {
  campaign(id: CampaignId): Promise<StoredCampaign | undefined>;
  /** @returns undefined where the id is taken */
  insertCampaign(campaign: NewCampaign, waveSizes: readonly number[]): Promise<StoredCampaign | undefined>;
  /** @throws ERR_DESK_STORE where its state is not `from` */
  changeCampaign(id: CampaignId, from: CampaignState, change: CampaignChange): Promise<StoredCampaign>;
  openCampaigns(): Promise<number>;
  startWave(campaign: StoredCampaign, wave: number, atMs: number): Promise<void>;
  waves(campaign: StoredCampaign): Promise<readonly WaveCounts[]>;
  /** @returns false where the command or the device is in a campaign, or in this one, already */
  insertItem(campaign: StoredCampaign, item: NewItem): Promise<boolean>;
  item(campaign: StoredCampaign, n: number): Promise<StoredItem | undefined>;
  /** Its bytes with all signatures that are there; undefined once they lie with the command itself. */
  signedOf(campaign: StoredCampaign, n: number): Promise<Uint8Array | undefined>;
  /** The bytes with a second signature, beside those that were uploaded. */
  complete(campaign: StoredCampaign, n: number, signed: Uint8Array): Promise<void>;
  /** In the order of the manifest; those from `from` on. */
  digests(campaign: StoredCampaign, from: number, limit: number): Promise<readonly string[]>;
  /** Those of a state in the order of the manifest, from `from` on. */
  itemsIn(
    campaign: StoredCampaign,
    state: 'ready' | 'open' | 'failed',
    from: number,
    limit: number,
  ): Promise<readonly StoredItem[]>;
  /** It is in the queue: its bytes lie with the command from now on. */
  fed(campaign: StoredCampaign, n: number, atMs: number): Promise<void>;
  endItem(campaign: StoredCampaign, n: number, end: ItemEnd): Promise<void>;
  /** Whether a device failed in a campaign. */
  hasFailed(campaign: StoredCampaign, device: DeviceId): Promise<boolean>;
  /** Whether a command belongs to a campaign that lets nothing out of the queue now. */
  isHeld(command: CommandId): Promise<boolean>;
}

export interface CampaignReads {
  campaign(id: CampaignId): Promise<StoredCampaign | undefined>;
  /** The newest first. */
  campaigns(page: { readonly before?: number; readonly limit: number }): Promise<readonly StoredCampaign[]>;
  /** Those that have not ended. */
  inStates(states: readonly CampaignState[]): Promise<readonly StoredCampaign[]>;
  waves(campaign: StoredCampaign): Promise<readonly WaveCounts[]>;
  /** In the order of the manifest. */
  results(
    campaign: StoredCampaign,
    page: { readonly after: number; readonly limit: number; readonly state?: ItemState },
  ): Promise<readonly ItemResult[]>;
  /** The bytes of items: as they were uploaded, or, once they are in the queue, with all signatures. */
  signed(campaign: StoredCampaign, from: number, limit: number): Promise<readonly SignedItem[]>;
}
