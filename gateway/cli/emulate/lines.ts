import type { EdgeInside } from '../../../meter-emulator/meter/edge-inside.ts';
import type { EmulatedPhysicalMeter, Endpoint, MeterEvent } from '../../../meter-emulator/meter/meter.ts';
import { screenOf } from '../../../meter-emulator/operations/screen.ts';
import type { MeterFace } from './face.ts';

/** How often it is looked whether commands or people changed something. */
const LOOK_EVERY_MS = 250;

/** How often telegrams are summed up: never a line per telegram. */
const SUM_EVERY_MS = 60_000;

/** A pipe gets lines: what can be read where, faults, and a sum a minute. With `json` each is an object. */
export class MeterLines implements MeterFace {
  readonly quit: Promise<void>;
  readonly #seed: number;
  readonly #json: boolean;
  #meter: EmulatedPhysicalMeter | null = null;
  #timer: NodeJS.Timeout | undefined;
  #telegrams = 0;
  #spoilt = 0;
  #look: NodeJS.Timeout | undefined;
  #shown = '';

  constructor(seed: number, json: boolean) {
    this.#seed = seed;
    this.#json = json;
    this.quit = new Promise((resolve) => {
      // Whoever read the lines has gone (EPIPE).
      process.stdout.on('error', () => resolve());
    });
  }

  begin(meter: EmulatedPhysicalMeter, inside: EdgeInside | null): void {
    this.#meter = meter;
    const { dialect, endpoints, periodSeconds } = meter;
    const modbus = meter.modbus.map(({ endpoint, profile, unit }) => ({
      profile: profile.name,
      unit,
      ...endpoint,
    }));
    this.#say(
      { event: 'started', simulated: true, seed: this.#seed, dialect, periodSeconds, p1: endpoints, modbus },
      [
        'SIMULATED METER: it measures nothing, and its serial numbers are made up.',
        ...endpoints.map(
          (one) => `P1 ${dialect}, a telegram every ${periodSeconds} s, at ${endpointText(one)}`,
        ),
        ...modbus.map((one) => `Modbus ${one.profile}, unit ${one.unit}, at ${endpointText(one)}`),
        'Ctrl-C ends it.',
      ].join('\n'),
    );
    this.#timer = setInterval(() => this.#sumUp(), SUM_EVERY_MS);
    if (inside !== null) this.#look = setInterval(() => this.#commanded(inside), LOOK_EVERY_MS);
  }

  event(event: MeterEvent): void {
    if (event.kind === 'telegram') {
      this.#telegrams += 1;
      if (event.fault !== null) this.#spoilt += 1;
    } else if (event.kind === 'fault')
      this.#say(
        { event: 'fault', fault: event.fault, state: event.state },
        `fault ${event.fault} ${event.state}`,
      );
    else this.#say({ event: 'trouble', message: event.message }, event.message);
  }

  end(): void {
    clearInterval(this.#timer);
    clearInterval(this.#look);
    const telegrams = this.#meter?.telegrams ?? 0;
    this.#say({ event: 'stopped', telegrams }, `stopped after ${telegrams} telegrams`);
  }

  /** What commands made of it, once for each change. */
  #commanded({ meter, device }: EdgeInside): void {
    const screen = screenOf(meter, { connected: device.connected, telegram: () => null });
    const { p1: _, simulated: __, ...shown } = screen;
    const text = JSON.stringify(shown);
    if (text === this.#shown) return;
    this.#shown = text;
    const { tariff, creditMode, breaker, connected, message } = screen;
    this.#say(
      { event: 'commanded', ...shown },
      `${connected === true ? 'connected' : 'not connected'}; ${tariff.plan}, rate ${tariff.rate}; ${creditMode}; breaker ${breaker}${message === '' ? '' : `; message: ${message}`}`,
    );
  }

  #sumUp(): void {
    const sum = { telegrams: this.#telegrams, spoilt: this.#spoilt, readers: this.#meter?.readers ?? 0 };
    this.#telegrams = 0;
    this.#spoilt = 0;
    this.#say(
      { event: 'minute', ...sum },
      `${sum.telegrams} telegrams in the last minute, ${sum.spoilt} of them spoilt; ${sum.readers} readers`,
    );
  }

  #say(event: object, line: string): void {
    process.stdout.write(
      `${this.#json ? JSON.stringify({ at: new Date().toISOString(), ...event }) : line}\n`,
    );
  }
}

export function endpointText(endpoint: Endpoint): string {
  return endpoint.kind === 'pty' ? endpoint.path : `${endpoint.host}:${endpoint.port}`;
}
