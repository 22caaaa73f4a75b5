import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { DeviceIdentity, KeyAndCertificate } from '../../pki/identity.ts';
import { sealingKid } from '../../pki/trust.ts';
import type { ResultCode } from '../../protocol/command/codes.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import { openCommand } from '../../protocol/command/sealed.ts';
import type { CommandType } from '../../protocol/command/table.ts';
import type { SealingKey } from '../../protocol/envelope.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Counters } from '../runtime/counters.ts';
import type { Log } from '../runtime/log.ts';
import type { LatestReadings } from './latest.ts';
import { NewKeys, type OwedKey } from './new-keys.ts';
import { officeTrust } from './office.ts';
import type { Installation } from './operations/installation.ts';
import { Operations } from './operations/operations.ts';
import { sealKeyReport, sealReport } from './operations/report.ts';
import type { OperationResult } from './operations/results.ts';
import { sealResult } from './operations/seal.ts';
import type { Hardware, Notice } from './operations/step.ts';
import type { OutboxFiles } from './outbox/files.ts';
import { recipientFor, type Sealer, sealerOf } from './seal.ts';
import type { Snapshot } from './source.ts';
import type { Commanded, Parcel } from './uplink/command-lane.ts';

/** What a device needs to take commands (docs/adr/0155). */
export interface EdgeCommands {
  readonly installation: Installation;
  readonly hardware: Hardware;
  /** Keep the connection, so that commands come at once; otherwise they come when the device wakes. */
  readonly stay?: boolean;
  /** Wake so long after the last wake also where nothing waits here, to fetch what waits there; null: never. */
  readonly everyMs?: number | null;
  /** Whether the customer port is open as the meter leaves the van. */
  readonly port?: boolean;
  readonly onNotice?: (notice: Notice) => void;
  /** Commands live by the real clock; what a second of metering time is by it, where that is not the same. */
  readonly realSeconds?: (meteringSeconds: number) => number;
  /** What the meters show at this moment, for `read.now`; what was observed last, unless told. */
  readonly snapshot?: () => Snapshot | null;
}

/** What became of the last command that came, for a status. */
export interface LastCommand {
  readonly atMs: number;
  /** Null where nobody proved to have signed it. */
  readonly id: CommandId | null;
  readonly type: CommandType | null;
  readonly state: 'executed' | 'refused' | 'failed' | 'unanswered';
  readonly code: ResultCode | null;
}

export interface CommandStatus {
  readonly last: LastCommand | null;
  /** Results and reports that wait for their receipt. */
  readonly waiting: number;
  /** Epoch ms since when nothing is sent; null while the device speaks. */
  readonly silentSinceMs: number | null;
  readonly connected: boolean;
}

export interface CommandsOptions {
  readonly commands: EdgeCommands;
  readonly directory: string;
  readonly identity: () => DeviceIdentity;
  readonly development: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: Counters;
  readonly readings: LatestReadings;
  /** The end of the last closed day, in metering time: it is certainly past. */
  readonly closedThroughSeconds: () => number;
  readonly onNotice: (notice: Notice) => void;
  /** Put a changed identity in the place of the present one. */
  readonly changeIdentity: (change: (now: DeviceIdentity) => DeviceIdentity) => void;
  readonly files?: OutboxFiles | undefined;
}

const sameSeconds = (seconds: number): number => seconds;

/** The keys of a connection's time; parsed at its first command, and let go of with it. */
interface Keys {
  readonly identity: DeviceIdentity;
  /** The one in force, and those before it: what was on its way when it changed still opens. */
  readonly agree: readonly SealingKey[];
  readonly sealer: Sealer;
}

/**
 * Between the uplink and what a meter does with commands: opens what comes, seals what goes. What is sealed is sealed
 * for each attempt anew; what a result reads is read then, and lies nowhere.
 */
export class Commands implements Commanded {
  readonly operations: Operations;
  readonly #options: CommandsOptions;
  readonly #newKeys: NewKeys;
  #keys: Keys | null = null;
  #last: LastCommand | null = null;
  /** Somebody sent what is no command over this connection, and it was said. */
  #saidStrange = false;

  private constructor(options: CommandsOptions, operations: Operations) {
    this.#options = options;
    this.operations = operations;
    const { identity, clock, changeIdentity: change } = options;
    this.#newKeys = new NewKeys({ identity, clock, change });
  }

  /** @throws ERR_JOURNAL_READ, ERR_JOURNAL_FORMAT, ERR_JOURNAL_DAMAGED */
  static async open(options: CommandsOptions): Promise<Commands> {
    const { commands, directory, identity, development, clock, readings, onNotice, files } = options;
    const { installation, hardware, port, realSeconds = sameSeconds } = commands;
    const operations = await Operations.open({
      directory,
      installation,
      hardware,
      locked: true,
      nowMs: clock.nowMs(),
      trust: (certificate) => officeTrust(identity(), development, clock).signer(certificate),
      clock: () => ({ set: true, floor: Math.floor(realSeconds(options.closedThroughSeconds())) }),
      readable: (channels) => readings.has(channels),
      onNotice,
      ...(port === undefined ? {} : { port }),
      ...(files === undefined ? {} : { files }),
    });
    return new Commands(options, operations);
  }

  get silent(): boolean {
    return this.operations.silent;
  }

  /** Airplane mode, running or only ordered: nothing but results may be sent. */
  get speaksOfResultsOnly(): boolean {
    return this.operations.state.airplane !== null;
  }

  /** By metering time: whether a profile must not say anything of it. */
  readonly withheld = (fromSeconds: number, toSeconds: number): boolean => {
    const { realSeconds = sameSeconds } = this.#options.commands;
    return this.operations.withheld(realSeconds(fromSeconds), realSeconds(toSeconds));
  };

  status(connected: boolean): CommandStatus {
    const { airplane } = this.operations.state;
    return {
      last: this.#last,
      waiting: this.parcels().length,
      silentSinceMs: this.silent && airplane !== null ? airplane.since * 1_000 : null,
      connected,
    };
  }

  /** Whose desk is to hear something of the device that it did not ask for. */
  owedReports(): readonly TenantId[] {
    const { home } = this.#options.commands.installation;
    const owners = this.#owedKeys().map(({ owner }) => owner);
    return this.operations.reportOwed === null ? owners : [...owners, home];
  }

  /** Results first: somebody waits for them. */
  parcels(): readonly Parcel[] {
    const results = this.operations.results().map((result) => this.#resultParcel(result));
    const keys = this.#owedKeys().map((owed) => this.#keyParcel(owed));
    const sequence = this.operations.reportOwed;
    return [...results, ...keys, ...(sequence === null ? [] : [this.#reportParcel(sequence)])];
  }

  /** Nothing in airplane mode: whoever commands such a meter is refused anyhow. */
  #owedKeys(): readonly OwedKey[] {
    return this.speaksOfResultsOnly ? [] : this.#newKeys.owed();
  }

  /** What came by the topic of a tenant; never throws for what a sender did. */
  async receive(tenant: TenantId, sealed: Uint8Array): Promise<void> {
    const { clock, counters, log } = this.#options;
    const nowMs = clock.nowMs();
    try {
      const { agree, identity } = this.#opened();
      const { device } = identity;
      const signed = openCommand({ sealed, binding: { tenant, device }, keys: agree });
      const receipt = await this.operations.receive({ signed, tenant }, nowMs);
      const { type } = receipt;
      if (receipt.answered) {
        const { id, outcome } = receipt.result;
        this.#last = {
          atMs: nowMs,
          id: type === null ? null : id,
          type,
          state: outcome.state,
          code: outcome.code,
        };
      } else this.#last = { atMs: nowMs, id: null, type, state: 'unanswered', code: receipt.code };
      const { state, code } = this.#last;
      counters.count(`edge.command.${state}`);
      log.info({ device, tenant, command: this.#last.id, type, state, code }, 'a command');
    } catch (error) {
      const code = isHesError(error) ? error.code : 'ERR_UNEXPECTED';
      counters.count(`edge.command.unopened.${code}`);
      // Whoever carries commands can send anything, as often as he likes: it is counted each time, and said once.
      if (!this.#saidStrange) log.warn({ err: error, tenant }, 'what came as a command is none');
      this.#saidStrange = true;
    }
  }

  /** The connection is over: its keys are not kept for the next. */
  release(): void {
    this.#keys = null;
    this.#newKeys.changed();
    this.#saidStrange = false;
  }

  #opened(): Keys {
    if (this.#keys !== null) return this.#keys;
    const { clock, development } = this.#options;
    const identity = this.#options.identity();
    const agree = [identity.agree, ...(identity.agreeBefore ?? [])].map(agreeKeyOf);
    this.#keys = { identity, agree, sealer: sealerOf(identity, clock.nowMs(), development) };
    return this.#keys;
  }

  #sealer(): Sealer {
    return { ...this.#opened().sealer, nowMs: this.#options.clock.nowMs() };
  }

  #resultParcel(result: OperationResult): Parcel {
    const { tenant: owner, sequence } = result;
    return {
      owner,
      name: `${owner} result ${sequence}`,
      seal: () => {
        const sealer = this.#sealer();
        const meters = result.reads === null ? [] : this.#options.readings.of(owner);
        const recipient = recipientFor(sealer, owner);
        const sealed = sealResult({ result, meters, signer: sealer.signer, recipient });
        return { owner, kind: 'result', sequence, ...sealed };
      },
      settle: () => this.operations.settled(result.id),
    };
  }

  #keyParcel(owed: OwedKey): Parcel {
    const { device } = this.#options.commands.installation;
    const { owner, sequence } = owed;
    return {
      owner,
      name: `${owner} key ${sequence}`,
      seal: () => {
        const sealer = this.#sealer();
        const recipient = recipientFor(sealer, owner);
        const time = Math.floor(sealer.nowMs / 1_000);
        const about = { tenant: owner, device, sequence, time, signer: sealer.signer, recipient };
        const sealed = sealKeyReport({ ...about, certificate: owed.certificate() });
        return { owner, kind: 'event', sequence, ...sealed };
      },
      settle: async (verdict) => this.#newKeys.answered(owed, verdict),
    };
  }

  #reportParcel(sequence: number): Parcel {
    const { device, home: owner } = this.#options.commands.installation;
    return {
      owner,
      name: `${owner} event ${sequence}`,
      seal: () => {
        const sealer = this.#sealer();
        const recipient = recipientFor(sealer, owner);
        const { state } = this.operations;
        const time = Math.floor(sealer.nowMs / 1_000);
        const { signer } = sealer;
        const sealed = sealReport({ state, tenant: owner, device, sequence, time, signer, recipient });
        return { owner, kind: 'event', sequence, ...sealed };
      },
      settle: () => this.operations.reported(sequence),
    };
  }
}

function agreeKeyOf({ key }: KeyAndCertificate): SealingKey {
  const privateKey = createPrivateKey(key);
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return { kid: sealingKid(spki), privateKey };
}
