import { setTimeout as delay } from 'node:timers/promises';
import { profileNamed } from '../../gateway/edge/modbus/profiles.ts';
import type { EdgeStatus } from '../../gateway/edge/service/status.ts';
import { type MeterPort, type Outlet, openOutlet } from '../../meter-emulator/meter/outlet.ts';
import type { ModbusFault } from '../../meter-emulator/modbus/faults.ts';
import { encodeTelegramBytes } from '../../meter-emulator/p1/encode.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import type { SteeredClock } from './edge-clock.ts';
import { ModbusGate } from './edge-modbus-gate.ts';
import type { Sent } from './edge-oracle.ts';
import type { Subject } from './edge-subjects.ts';
import { until } from './processes.ts';

/** A meter with its cable, as an edge process has it in front of it. */
export interface ChaosSource {
  readonly subject: Subject;
  readonly device: DeviceId;
  /** All that was sent whole. */
  readonly sent: Sent[];
  /** For `sources` of edge.yaml. */
  readonly config: object;
  isPlugged: boolean;
  /** Somebody has the port open again, after trouble. */
  ready(): Promise<void>;
  /** Put what the meter shows at this moment of the clock on the wire, or half of it. */
  send(seconds: number, how: 'whole' | 'half' | 'damaged'): void;
  /** Wait until the edge has what was sent. */
  taken(clock: SteeredClock, status: () => Promise<EdgeStatus | undefined>): Promise<void>;
  /** What was sent last may have been lost. */
  doubt(): void;
  unplug(): Promise<void>;
  plug(): Promise<void>;
}

/** Longer than any machine takes to read a telegram: then something is wrong. */
const TAKEN_WITHIN_MS = 30_000;
const AGAIN_MS = 1_000;
/** A reader that was away comes back by itself (backoff), also on a busy machine. */
const BACK_WITHIN_MS = 60_000;

abstract class Recorded {
  readonly sent: Sent[] = [];

  record(seconds: number): void {
    this.sent.push({ seconds, certain: true });
  }

  doubt(): void {
    const last = this.sent.pop();
    if (last !== undefined) this.sent.push({ ...last, certain: false });
  }
}

export class P1ChaosSource extends Recorded implements ChaosSource {
  readonly subject: Subject;
  readonly device: DeviceId;
  readonly #outlet: Outlet;
  isPlugged = true;

  private constructor(subject: Subject, device: DeviceId, outlet: Outlet) {
    super();
    this.subject = subject;
    this.device = device;
    this.#outlet = outlet;
  }

  static async open(subject: Subject, device: DeviceId, port: MeterPort): Promise<P1ChaosSource> {
    return new P1ChaosSource(subject, device, await openOutlet(port));
  }

  get config(): object {
    const { endpoint } = this.#outlet;
    const common = { name: this.subject.name };
    if (endpoint.kind === 'tcp')
      return { p1: { ...common, tcp: { host: endpoint.host, port: endpoint.port } } };
    return { p1: { ...common, serial: { path: endpoint.path, mode: '115200 8N1' } } };
  }

  async ready(): Promise<void> {
    await until(`${this.subject.name} is read`, () => this.#outlet.readers() > 0, BACK_WITHIN_MS);
  }

  send(seconds: number, how: 'whole' | 'half' | 'damaged'): void {
    this.#put(seconds, how);
    if (how === 'whole') this.record(seconds);
  }

  #put(seconds: number, how: 'whole' | 'half' | 'damaged'): void {
    const bytes = Buffer.from(encodeTelegramBytes('emucs-2.1.1', this.subject.stateAt(seconds)));
    // A digit of a register, somewhere in the middle: only the CRC tells.
    if (how === 'damaged') bytes[bytes.indexOf('1-0:1.8.1(') + 12]! ^= 1;
    this.#outlet.write(how === 'half' ? bytes.subarray(0, bytes.length >> 1) : bytes);
  }

  async taken(clock: SteeredClock, status: () => Promise<EdgeStatus | undefined>): Promise<void> {
    const { seconds } = this.sent.at(-1)!;
    const isTaken = async (): Promise<boolean> => {
      const source = (await status())?.devices.find(({ device }) => device === this.device)?.sources[0];
      return source?.kind === 'p1' && (source.lastTelegramMs ?? 0) >= clock.realMs(seconds);
    };
    const endMs = performance.now() + TAKEN_WITHIN_MS;
    for (let againMs = performance.now() + AGAIN_MS; !(await isTaken()); await delay(1)) {
      if (performance.now() > endMs) throw new Error(`${this.subject.name} is not read any more`);
      if (performance.now() < againMs) continue;
      // A port that is being opened may forget what came a moment before: the meter sends on.
      againMs = performance.now() + AGAIN_MS;
      this.#put(seconds, 'whole');
    }
  }

  async unplug(): Promise<void> {
    this.isPlugged = false;
    await this.#outlet.unplug();
  }

  async plug(): Promise<void> {
    await this.#outlet.plug();
    this.isPlugged = true;
  }
}

/** A meter that failed is asked again after up to half a minute of the clock, which stands still: it is moved on. */
const CREEP_SECONDS = 4;
const CREEP_SECONDS_MAX = 56;
const PATIENCE_MS = 60;

/** Modbus Application Protocol V1.1b3 §7: the meter cannot, at the moment. */
const DEVICE_FAILURE = 4;

export interface ModbusChaosMeter {
  readonly profile: string;
  readonly serial: string;
  /** What it answers while it is damaged; an exception unless told. */
  readonly fault?: ModbusFault;
}

export class ModbusChaosSource extends Recorded implements ChaosSource {
  readonly subject: Subject;
  readonly device: DeviceId;
  readonly #profile: string;
  readonly #serial: string;
  readonly #fault: ModbusFault;
  readonly #gate: ModbusGate;
  #readings = 0;
  isPlugged = true;

  private constructor(subject: Subject, device: DeviceId, { profile, serial, fault }: ModbusChaosMeter) {
    super();
    this.subject = subject;
    this.device = device;
    this.#profile = profile;
    this.#serial = serial;
    this.#fault = fault ?? { kind: 'exception', code: DEVICE_FAILURE };
    this.#gate = new ModbusGate(profileNamed(profile));
  }

  static async open(subject: Subject, device: DeviceId, meter: ModbusChaosMeter): Promise<ModbusChaosSource> {
    const source = new ModbusChaosSource(subject, device, meter);
    await source.#gate.plug();
    return source;
  }

  get config(): object {
    return {
      modbus: {
        name: this.subject.name,
        endpoint: { tcp: { host: '127.0.0.1', port: this.#gate.port } },
        // A question waits at the gate while the others are served.
        answerWithinMs: 10_000,
        everySeconds: 1,
        meters: [{ profile: this.#profile, serial: this.#serial }],
      },
    };
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  send(seconds: number, how: 'whole' | 'half' | 'damaged'): void {
    this.#readings = this.#gate.readings;
    this.#gate.open(this.subject.stateAt(seconds), how === 'whole' ? null : this.#fault);
    if (how === 'whole') this.record(seconds);
  }

  async taken(clock: SteeredClock): Promise<void> {
    const sent = this.sent.at(-1)!;
    const hasBegun = (): boolean => this.#gate.readings > this.#readings;
    for (let later = 0; later <= CREEP_SECONDS_MAX; later += CREEP_SECONDS) {
      if (later > 0) {
        this.sent.pop();
        clock.set(sent.seconds + later);
        this.send(sent.seconds + later, 'whole');
      }
      const endMs = performance.now() + PATIENCE_MS;
      while (!hasBegun() && performance.now() < endMs) await delay(2);
      if (!hasBegun()) continue;
      await until(`${this.subject.name} is taken`, () => this.#gate.isHeld, TAKEN_WITHIN_MS);
      return;
    }
    throw new Error(`${this.subject.name} is not read any more`);
  }

  async unplug(): Promise<void> {
    this.isPlugged = false;
    this.#gate.shut();
    await this.#gate.unplug();
  }

  async plug(): Promise<void> {
    await this.#gate.plug();
    this.isPlugged = true;
  }
}
