import { type Command, decodeCommand } from '../../protocol/command/command.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import type { Signer } from '../../protocol/command/signers.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { type Random, systemRandom } from '../runtime/random.ts';
import { type Campaigns, createCampaigns } from './campaigns/campaigns.ts';
import {
  type DeskContext,
  type DeviceAgreement,
  type DeviceKeys,
  known,
  NO_AGREEMENT,
  type SignerTrust,
} from './context.ts';
import { claim, type Dispatch, expire, outcome, returned } from './flight.ts';
import { airplaneEnded, identify, type Registration, register, seen, withdraw } from './meters.ts';
import { type DeskPolicy, policyOf } from './policy.ts';
import { approve, cancel, propose, release } from './propose.ts';
import type { Meter } from './registry/meter.ts';
import { report } from './reports.ts';
import type { DeskStore, Page, StoredCommand } from './store/port.ts';

/**
 * One operator's desk: everything that may happen to a command, over a store. It verifies and cannot forge: it has no
 * key that signs a command. What carries it to people (an API) and to devices (a bus) calls these.
 */

export interface DeskOptions {
  readonly store: DeskStore;
  /** Whom the tenant's office trusts. What it throws goes through. */
  readonly trust: SignerTrust;
  /** Which devices the tenant trusts: `DeviceTrust.signer`. What it throws goes through. */
  readonly deviceKeys: DeviceKeys;
  /** Which keys of devices commands may be sealed to: `DeviceTrust.agreement`. */
  readonly deviceAgreement?: DeviceAgreement;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly policy?: Partial<DeskPolicy>;
  /** Told of each change of a command once it is durable, in their order. What it throws, nobody catches. */
  readonly onChange?: (command: StoredCommand) => void;
  /** Told where campaigns cannot go on for now: the store does not do it. They are tried again. */
  readonly onFault?: (error: unknown) => void;
}

/** A command with what it says, for people who read it before they sign. */
export interface ShownCommand {
  readonly stored: StoredCommand;
  readonly command: Command;
  /** COSE_Sign with the signatures that it has: what an approver adds his to. */
  readonly signed: Uint8Array;
}

/** A person or a system whom the caller has authenticated asks. */
export interface Ask {
  readonly id: CommandId;
  readonly by: Signer;
  readonly reason?: string;
}

export interface Desk {
  propose(proposal: { readonly device: DeviceId; readonly signed: Uint8Array }): Promise<StoredCommand>;
  approve(approval: { readonly id: CommandId; readonly signed: Uint8Array }): Promise<StoredCommand>;
  cancel(ask: Ask): Promise<StoredCommand>;
  release(ask: Ask): Promise<StoredCommand>;
  list(page: Parameters<DeskStore['commands']>[0]): Promise<Page<StoredCommand, number>>;
  /** @throws ERR_DESK_COMMAND */
  show(id: CommandId): Promise<ShownCommand>;

  claim(device: DeviceId): Promise<Dispatch | undefined>;
  returned(id: CommandId): Promise<StoredCommand>;
  outcome(message: { readonly device: DeviceId; readonly signed: Uint8Array }): Promise<StoredCommand>;
  expire(): Promise<number>;

  register(registration: Registration, by: Signer | 'desk'): Promise<Meter>;
  withdraw(device: DeviceId): Promise<void>;
  /** Whether this is the EAN of a meter behind the device that is the tenant's. @throws ERR_DESK_METER */
  identify(device: DeviceId, ean: string): Promise<boolean>;
  seen(device: DeviceId, atMs: number): Promise<void>;
  report(message: { readonly device: DeviceId; readonly signed: Uint8Array }): Promise<Meter>;
  airplaneEnded(device: DeviceId, epochSeconds: number): Promise<Meter>;

  /** They run from `campaigns.start()` on. */
  readonly campaigns: Campaigns;
}

export function createDesk(options: DeskOptions): Desk {
  const { store, policy, clock = systemClock, random = systemRandom, onChange = () => {} } = options;
  const { trust, deviceKeys, deviceAgreement = NO_AGREEMENT } = options;
  const { tenant } = store;
  const context: DeskContext = {
    tenant,
    store,
    trust,
    deviceKeys,
    deviceAgreement,
    clock,
    random,
    policy: policyOf(tenant, policy),
    onChange(command) {
      campaigns.changed(command);
      onChange(command);
    },
  };
  const campaigns = createCampaigns(context, options.onFault);
  return {
    propose: (proposal) => propose(context, proposal),
    approve: (approval) => approve(context, approval),
    cancel: (ask) => cancel(context, ask),
    release: (ask) => release(context, ask),
    list: (page) => store.commands(page),
    async show(id) {
      const stored = known(await store.command(id));
      const { payload, signed } = (await store.evidence(id))!;
      return { stored, command: decodeCommand(payload), signed };
    },
    claim: (device) => claim(context, device),
    returned: (id) => returned(context, id),
    outcome: (message) => outcome(context, message),
    expire: () => expire(context),
    register: (registration, by) => register(context, registration, by),
    withdraw: (device) => withdraw(context, device),
    identify: (device, ean) => identify(context, device, ean),
    report: (message) => report(context, message),
    seen: (device, atMs) => seen(context, device, atMs),
    airplaneEnded: (device, epochSeconds) => airplaneEnded(context, device, epochSeconds),
    campaigns,
  };
}
