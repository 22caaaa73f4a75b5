import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectLocalBus } from '../../gateway/bus/local/peer.ts';
import type { BusSubject, TenantBus } from '../../gateway/bus/port.ts';
import { PROCESS_CONFIGS } from '../../gateway/cli/process-configs.ts';
import { recipientOfCertificate } from '../../gateway/desk/registry/recipient.ts';
import { type RunningDesk, startDesk } from '../../gateway/desk/service/start.ts';
import { EdgeDevice } from '../../gateway/edge/device.ts';
import { FakeHardware } from '../../gateway/edge/operations/testing/hardware.ts';
import { parseConfig } from '../../gateway/runtime/config.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { silentLog } from '../../gateway/runtime/log.ts';
import type { DeviceIdentity } from '../../pki/trust.ts';
import { derOf } from '../../pki/x509/pem.ts';
import type { Command, CommandBody } from '../../protocol/command/command.ts';
import { commandIdOf } from '../../protocol/command/id.ts';
import { sealCommand } from '../../protocol/command/sealed.ts';
import { approveCommand, signCommand } from '../../protocol/command/signed.ts';
import { type ArgumentsOf, type CommandType, rowOf } from '../../protocol/command/table.ts';
import {
  decodeDeskAnswer,
  decodeDownlinkAnswer,
  encodeAwake,
  encodeDownlink,
} from '../../protocol/downlink.ts';
import type { SignerKey } from '../../protocol/envelope.ts';
import { HesError } from '../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { Field } from '../support/field.ts';
import { type HeadEnd, startHeadEnd } from '../support/head-end.ts';
import { FARYS, Office, ORES, RESA } from './forge-people.ts';

/**
 * Real meters on a real front with real routers and a desk of ores, all over TLS and a bus, and an attacker who holds
 * what lies between the signers and the meter: the bus (he asks the front to write what he likes, and tells the desk
 * what he likes), the desk's database and the desk's TLS key.
 */

/** For what comes over sockets on a busy machine; nothing waits for so long when all is well. */
const WITHIN_MS = 30_000;
const POLL_MS = 5;

/** How long after `happens` the last thing it waits for must be there. */
export async function until(what: string, happens: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + WITHIN_MS;
  while (!(await happens())) {
    if (performance.now() > endMs) throw new Error(`it never came: ${what}`);
    await sleep(POLL_MS);
  }
}

/** What somebody puts on a device's topic of commands. */
export interface Carried {
  readonly tenant: TenantId;
  readonly sealed: Uint8Array;
}

export interface Meter {
  readonly identity: DeviceIdentity;
  readonly edge: EdgeDevice;
  readonly hardware: FakeHardware;
  readonly counters: Counters;
}

/** A front that was taken over: it keeps what passes, and drops what it is told to drop. */
class Front {
  readonly dropped = new Set<DeviceId>();
  readonly #results = new Map<DeviceId, Uint8Array[]>();

  tampers(bus: TenantBus): TenantBus {
    return {
      tenant: bus.tenant,
      serve: (subject, handler) => bus.serve(subject, handler),
      close: () => bus.close(),
      request: async (request, options) => {
        const { subject, device, body } = request;
        if (subject === 'up.result') {
          this.#results.set(device, [...this.results(device), Uint8Array.from(body)]);
          if (this.dropped.has(device)) throw new HesError('ERR_BUS_TIMEOUT', 'dropped');
        }
        return bus.request(request, options);
      },
    };
  }

  /** Sealed results that a device has sent. */
  results(device: DeviceId): readonly Uint8Array[] {
    return this.#results.get(device) ?? [];
  }
}

/** What commands can change at a meter. */
export const stateOf = ({ edge, hardware }: Meter) => ({
  done: [...hardware.done],
  state: JSON.stringify(edge.operations!.state),
});

export class ForgeWorld {
  readonly field: Field;
  readonly office: Office;
  readonly headEnd: HeadEnd;
  /** What the front was given to carry up, and what it is told to drop. */
  readonly front: Front;
  readonly #bus: ReadonlyMap<TenantId, TenantBus>;
  readonly #deskBus: TenantBus;
  readonly desk: RunningDesk;
  readonly #meters: Meter[] = [];
  #counter = 0;

  private constructor(field: Field, front: Front, headEnd: HeadEnd, deskBus: TenantBus, desk: RunningDesk) {
    this.field = field;
    this.front = front;
    this.office = new Office(field);
    this.headEnd = headEnd;
    this.#deskBus = deskBus;
    this.desk = desk;
    this.#bus = new Map(field.tenants.map((tenant) => [tenant, busOf(headEnd, tenant)]));
  }

  /** @param prepare what is done to the field before anybody reads its files */
  static async create(prepare: (field: Field) => void = () => {}): Promise<ForgeWorld> {
    const field = new Field([ORES, FARYS, RESA]);
    prepare(field);
    const front = new Front();
    const headEnd = await startHeadEnd(field, { tamper: (bus) => front.tampers(bus) });
    const bus = busOf(headEnd, ORES);
    return new ForgeWorld(field, front, headEnd, bus, await openDesk(field, bus));
  }

  get database(): string {
    return databaseOf(this.field);
  }

  /** The desk's database, in the hands of somebody who minds no trigger. */
  atDatabase(sql: string, ...values: readonly SQLInputValue[]): void {
    const database = new DatabaseSync(this.database, { timeout: WITHIN_MS });
    try {
      const triggers = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all();
      for (const { name } of triggers) database.exec(`DROP TRIGGER ${String(name)}`);
      database.prepare(sql).run(...values);
    } finally {
      database.close();
    }
  }

  async close(): Promise<void> {
    for (const { edge } of this.#meters) await edge.close();
    await this.desk.stop();
    for (const bus of [this.#deskBus, ...this.#bus.values()]) await bus.close();
    await this.headEnd.stop();
    this.field.remove();
  }

  /** A meter of ores with a water meter of farys on channel 2, connected and listening, in the desk's registry. */
  async meter(change: Partial<DeviceIdentity> = {}): Promise<Meter> {
    const meter = await this.absentMeter(change);
    await this.connect(meter);
    return meter;
  }

  async connect({ edge }: Meter): Promise<void> {
    await until('a meter connects', async () => {
      if (!edge.connected) await edge.wake();
      return edge.connected;
    });
  }

  /** The same, not connected yet. */
  async absentMeter(change: Partial<DeviceIdentity> = {}): Promise<Meter> {
    const identity = { ...this.field.device(ORES, [FARYS]), ...change };
    const { device } = identity;
    const hardware = new FakeHardware();
    const counters = new Counters();
    const edge = await EdgeDevice.start({
      directory: join(this.field.directory, 'devices', device),
      identity,
      owners: ({ medium }) => (medium === 'water' ? FARYS : ORES),
      headEnd: { host: '127.0.0.1', port: this.headEnd.port, servername: 'localhost' },
      counters,
      development: true,
      commands: {
        installation: {
          device,
          home: ORES,
          meters: [
            { channel: 0, owner: ORES, medium: 'electricity', switchable: true },
            { channel: 2, owner: FARYS, medium: 'water', switchable: true },
          ],
          protectedPeriods: [],
        },
        hardware,
        stay: true,
      },
    });
    const meter = { identity, edge, hardware, counters };
    this.#meters.push(meter);
    await this.desk.desk.register(
      {
        device,
        home: ORES,
        medium: 'electricity',
        channels: [
          { channel: 0, medium: 'electricity', owner: ORES },
          { channel: 2, medium: 'water', owner: FARYS },
        ],
        certificate: derOf('CERTIFICATE', identity.agree.certificate),
      },
      'desk',
    );
    return meter;
  }

  /** A command of now for a meter, with an id and a counter of its own. */
  command<T extends CommandType>(
    { identity: { device } }: Meter,
    type: T,
    args: ArgumentsOf<T>,
    change: Partial<Command> = {},
  ): Command {
    const row = rowOf(type);
    this.#counter = Math.max(this.#counter + 1, Date.now());
    const now = Math.floor(Date.now() / 1_000);
    return {
      version: 1,
      tenant: ORES,
      device,
      id: commandIdOf(randomBytes(16)),
      counter: this.#counter,
      notBefore: now - 1,
      expiry: now - 1 + row.expirySeconds,
      reason: 'case 4711',
      ...({ type, arguments: args } as unknown as CommandBody),
      ...change,
    } as Command;
  }

  /** Signed as the row of its type asks for, by those who may. */
  signed(
    command: Command,
    first: SignerKey = this.office.signer('operator', command.tenant),
    second: SignerKey = this.office.signer('approver', command.tenant),
  ): Uint8Array {
    const proposal = signCommand({ command, signer: first });
    return rowOf(command.type).signatures === 1
      ? proposal
      : approveCommand({ signed: proposal, signer: second });
  }

  /** Whoever knows a meter's public key can seal to it. */
  seal(to: Meter, signed: Uint8Array, tenant: TenantId = ORES, binding = to.identity.device): Carried {
    const recipient = recipientOfCertificate(
      derOf('CERTIFICATE', to.identity.agree.certificate),
      to.identity,
    )!;
    return { tenant, sealed: sealCommand({ signed, binding: { tenant, device: binding }, recipient }) };
  }

  /**
   * Put something on a meter's topic, through the front, as only who holds the bus can.
   * @returns what the meter did with it: `executed`, or a state with its code; `unopened` with an error's; or that the
   *   front did not write it
   */
  async carry(to: Meter, { tenant, sealed }: Carried): Promise<string> {
    const { identity, edge, counters } = to;
    const before = counters.snapshot();
    const body = encodeDownlink({ home: ORES, sealed });
    const { kind } = decodeDownlinkAnswer(await this.#ask(tenant, 'down.command', identity, body));
    if (kind !== 'written') return `not written: ${kind}`;
    let came: string | undefined;
    await until('a meter takes what came', () => {
      const after = counters.snapshot();
      came = Object.keys(after).find(
        (name) => name.startsWith('edge.command.') && after[name] !== (before[name] ?? 0),
      );
      return came !== undefined;
    });
    const what = came!.slice('edge.command.'.length);
    if (what.startsWith('unopened.')) return what.replace('.', ' ');
    const { code } = edge.commandStatus()!.last!;
    return code === null ? what : `${what} ${code}`;
  }

  /** Tell the desk that a meter listens: it sends what waits for it. */
  async wake({ identity }: Meter): Promise<void> {
    await this.#ask(ORES, 'desk.awake', identity, encodeAwake({ home: ORES }));
  }

  /** Tell the desk what became of a command. @returns `taken`, `later`, or why it was refused */
  async tell(
    { identity }: Pick<Meter, 'identity'>,
    outcome: Uint8Array,
    subject: BusSubject = 'desk.outcome',
  ): Promise<string> {
    const answer = decodeDeskAnswer(await this.#ask(ORES, subject, identity, outcome));
    return answer.kind === 'refused' ? answer.code : answer.kind;
  }

  /** Carry something up once more, in the name of a meter. */
  async again({ identity }: Meter, sealed: Uint8Array): Promise<void> {
    await this.#ask(ORES, 'up.result', identity, sealed);
  }

  #ask(
    tenant: TenantId,
    subject: BusSubject,
    { device }: Pick<DeviceIdentity, 'device'>,
    body: Uint8Array,
  ): Promise<Uint8Array> {
    return this.#bus.get(tenant)!.request({ subject, device, body }, { deadlineMs: WITHIN_MS });
  }
}

const busOf = ({ busDirectory }: HeadEnd, tenant: TenantId): TenantBus =>
  connectLocalBus({ directory: busDirectory, tenant, log: silentLog });

const databaseOf = ({ directory }: Field): string => join(directory, 'desk-ores.sqlite');

function openDesk(field: Field, bus: TenantBus): Promise<RunningDesk> {
  const { layout } = field.pki;
  const { office } = layout;
  const { bus: _, ...config } = parseConfig(PROCESS_CONFIGS.desk, {
    mode: 'development',
    tenant: ORES,
    database: databaseOf(field),
    listen: { port: 0 },
    tls: office.desk(ORES),
    office: {
      root: office.root.certificate,
      issuing: [office.issuing(ORES).certificate],
      revocations: [office.crl(ORES)],
    },
    field: {
      root: layout.root.certificate,
      issuers: field.tenants.map((tenant) => ({ tenant, certificate: layout.issuing(tenant).certificate })),
      revocations: field.tenants.map((tenant) => layout.crl(tenant)),
    },
    reloadSeconds: 1,
    bus: { directory: field.directory },
  });
  return startDesk({ config, bus, log: silentLog, counters: new Counters() });
}
