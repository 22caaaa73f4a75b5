import type { ResultCode } from '../../../protocol/command/codes.ts';
import type { CommandId } from '../../../protocol/command/id.ts';
import type { OutcomeState } from '../../../protocol/command/outcome.ts';
import type { Role } from '../../../protocol/command/roles.ts';
import type { CounterName } from '../../../protocol/command/row.ts';
import type { CommandType } from '../../../protocol/command/table.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import type { AuditEntry, AuditHead, AuditRow } from '../audit/row.ts';
import type { Usage, UsageKind } from '../audit/usage.ts';
import type { CampaignReads, CampaignTransaction } from '../campaigns/store/port.ts';
import type { StoredState } from '../lifecycle/states.ts';
import type { Refuser } from '../lifecycle/transitions.ts';
import type { CreditMode, Meter } from '../registry/meter.ts';

/**
 * Where a desk keeps commands, meters and its audit. What belongs together is one transaction, and a transaction has
 * happened when its promise says so. Implementations pass `storeContract`.
 */

export interface NewCommand {
  readonly id: CommandId;
  readonly device: DeviceId;
  readonly type: CommandType;
  readonly state: StoredState;
  /** Whoever gave the first signature. */
  readonly person: string;
  readonly role: Role;
  readonly counter: number;
  /** Epoch seconds. */
  readonly notBefore: number;
  readonly expiry: number;
  readonly reason: string | null;
  /** SHA-256 of the bytes that were signed, hex: the command without its signatures. */
  readonly digest: string;
  readonly proposedAtMs: number;
}

/** What a transition may change beside the state. */
export interface CommandChange {
  readonly state: StoredState;
  readonly changedAtMs: number;
  /** Whoever gave the second signature. */
  readonly approver?: string;
  /** How often it may have reached its device. */
  readonly attempts?: number;
  readonly retryAtMs?: number | null;
  readonly answerDueMs?: number | null;
  readonly code?: ResultCode | null;
  readonly refusedBy?: Refuser;
}

export interface StoredCommand extends NewCommand {
  /** Rising in the order of proposal. */
  readonly seq: number;
  readonly changedAtMs: number;
  readonly approver: string | null;
  readonly attempts: number;
  readonly retryAtMs: number | null;
  readonly answerDueMs: number | null;
  readonly code: ResultCode | null;
  /** Null where it was not refused. */
  readonly refusedBy: Refuser | null;
  /** What a device said when the command had ended here: shown beside the state, which stays. */
  readonly late: { readonly state: OutcomeState; readonly code: ResultCode | null } | null;
}

/** The bytes that prove what a command was, who signed it, and what its device said. */
export interface Evidence {
  /** The bytes that were signed: `decodeCommand` says what the command is. */
  readonly payload: Uint8Array;
  /** COSE_Sign with the signatures that it has. */
  readonly signed: Uint8Array;
  /** COSE_Sign1 of the device; the latest. */
  readonly outcome: Uint8Array | null;
}

export interface CommandFilter {
  readonly device?: DeviceId;
  readonly state?: StoredState;
  readonly type?: CommandType;
  readonly person?: string;
}

export interface MeterFilter {
  readonly airplane?: boolean;
  readonly creditMode?: CreditMode;
}

/** EAN-18 by channel. They are compared and never given out. */
export type Eans = Readonly<Record<number, string>>;

/** A page may hold fewer than were asked for and have a next one: a question reads so many rows and no more. */
export interface Page<T, Cursor> {
  readonly items: readonly T[];
  /** Where the next page begins; null where there is none. */
  readonly next: Cursor | null;
}

/** Commands on a page, rows of the audit on one. */
export const PAGE_MAX = 500;

/** Within a transaction. Nothing else may be awaited there: others wait for it. */
export interface DeskTransaction {
  command(id: CommandId): Promise<StoredCommand | undefined>;
  evidence(id: CommandId): Promise<Evidence | undefined>;
  /** @returns undefined where the id is taken */
  insert(
    command: NewCommand,
    evidence: Pick<Evidence, 'payload' | 'signed'>,
  ): Promise<StoredCommand | undefined>;
  /**
   * A transition. The audit row is the caller's, in the same transaction.
   * @returns the command as it is then
   * @throws ERR_DESK_STORE where its state is not `from`, the state is terminal, or another is in flight
   */
  change(
    id: CommandId,
    from: StoredState,
    change: CommandChange,
    evidence?: Partial<Pick<Evidence, 'signed' | 'outcome'>>,
  ): Promise<StoredCommand>;
  /** A device's answer about a command that has ended. */
  late(id: CommandId, late: NonNullable<StoredCommand['late']>, outcome: Uint8Array): Promise<void>;
  /** Those of a device that have not ended, the oldest first. */
  open(device: DeviceId): Promise<readonly StoredCommand[]>;
  /** The highest counter of a signer about one thing of a device, of whatever became of it; 0 where there is none. */
  highestCounter(device: DeviceId, person: string, thing: CounterName): Promise<number>;
  /** Open commands that time may have ended by now: past their expiry, or past their answer's time where sent. */
  due(nowMs: number, limit: number): Promise<readonly StoredCommand[]>;
  meter(device: DeviceId): Promise<Meter | undefined>;
  /** Also where it was withdrawn: then it is there again. */
  putMeter(meter: Meter): Promise<void>;
  /** Takes it out of every list and answer but `withdrawn`. @returns whether it was there */
  withdrawMeter(device: DeviceId): Promise<boolean>;
  /** A meter that was withdrawn, as it was then. */
  withdrawn(device: DeviceId): Promise<Meter | undefined>;
  /**
   * The EANs of a meter, all of them: what is not named has none.
   * @returns whether that changed anything
   */
  putEans(device: DeviceId, eans: Eans): Promise<boolean>;
  /** How many of a type somebody proposed since then, to the minute. */
  proposedSince(person: string, type: CommandType, sinceMs: number): Promise<number>;
  /** Counts one more, and forgets what no window reaches any more. */
  countProposal(person: string, type: CommandType, atMs: number): Promise<void>;
  /** Behind the last row, and counted in the usage. */
  audit(entry: AuditEntry): Promise<AuditRow>;
  readonly campaigns: CampaignTransaction;
}

export interface DeskStore {
  readonly tenant: TenantId;

  /**
   * All of it or nothing; durable when it resolves. Transactions happen one after the other.
   * @throws what `work` throws, and then nothing of it happened; ERR_DESK_STORE
   */
  transaction<T>(work: (transaction: DeskTransaction) => Promise<T>): Promise<T>;

  command(id: CommandId): Promise<StoredCommand | undefined>;
  evidence(id: CommandId): Promise<Evidence | undefined>;
  /** The newest first. @param page.before the cursor of the page before */
  commands(page: {
    readonly filter?: CommandFilter;
    readonly before?: number;
    readonly limit: number;
  }): Promise<Page<StoredCommand, number>>;
  /** Devices that have something queued whose time has come, in the order of their ids. */
  waitingDevices(page: {
    readonly nowMs: number;
    readonly after?: DeviceId;
    readonly limit: number;
  }): Promise<readonly DeviceId[]>;
  /** How many commands there are in each open state. */
  openCounts(): Promise<Readonly<Partial<Record<StoredState, number>>>>;
  meter(device: DeviceId): Promise<Meter | undefined>;
  /** The channels of a device, among these, that have this EAN. */
  channelsWithEan(device: DeviceId, ean: string): Promise<readonly number[]>;
  /** In the order of their ids. */
  meters(page: {
    readonly filter?: MeterFilter;
    readonly after?: DeviceId;
    readonly limit: number;
  }): Promise<Page<Meter, DeviceId>>;
  /** The oldest first. */
  auditRows(page: { readonly after?: number; readonly limit: number }): Promise<readonly AuditRow[]>;
  auditHead(): Promise<AuditHead>;
  usage(kind: UsageKind): Promise<readonly Usage[]>;
  readonly campaigns: CampaignReads;

  /** Lets running transactions end; what comes later fails with ERR_DESK_STORE. */
  close(): Promise<void>;
}
