import type { ModbusProfile } from '../../gateway/edge/modbus/profile.ts';
import { ModbusDevice } from '../modbus/device.ts';
import { modbusMeterOf } from '../modbus/meter.ts';
import { type RegisterImage, registerImage } from '../modbus/registers.ts';
import { type ModbusServer, serveModbusStream, serveModbusTcp } from '../modbus/server.ts';
import type { P1MeterState } from '../p1/encode.ts';
import type { Endpoint, MeterPort } from './outlet.ts';
import { Pty } from './pty.ts';
import { PtyStream } from './pty-stream.ts';

/** A Modbus interface of the meter: TCP, or RTU on a pseudo-terminal. */
export interface ModbusPort {
  readonly at: MeterPort;
  readonly profile: ModbusProfile;
  /** The profile's own unless told. */
  readonly unit?: number;
}

/** A profile that reads the voltage of a third phase is one of a three-phase meter. */
export function phasesOf({ instants }: ModbusProfile): 1 | 3 {
  return instants.some(({ obis }) => obis === '1-0:72.7.0') ? 3 : 1;
}

/** The registers of a profile as the household's meter has them now; made anew when a second has passed. */
export function registersOf(profile: ModbusProfile, stateNow: () => P1MeterState): () => RegisterImage {
  let made: { readonly epochSeconds: number; readonly image: RegisterImage } | null = null;
  return () => {
    const state = stateNow();
    const { epochSeconds } = state.time;
    if (made?.epochSeconds !== epochSeconds)
      made = { epochSeconds, image: registerImage(profile, modbusMeterOf(profile, state)) };
    return made.image;
  };
}

/** Serves the registers; pulled and plugged as an outlet of telegrams is. */
export class ModbusFace {
  readonly device: ModbusDevice;
  readonly profile: ModbusProfile;
  readonly unit: number;
  #endpoint: Endpoint;
  #server: Pick<ModbusServer, 'stop'> | null = null;

  private constructor({ at, profile, unit = profile.line.unit }: ModbusPort, stateNow: () => P1MeterState) {
    this.profile = profile;
    this.unit = unit;
    this.#endpoint =
      'pty' in at
        ? { kind: 'pty', path: at.pty.path }
        : { kind: 'tcp', host: at.tcp.host ?? '127.0.0.1', port: at.tcp.port };
    this.device = new ModbusDevice({ profile, unit, image: registersOf(profile, stateNow) });
  }

  /** @throws ERR_MODBUS_EMULATOR_LISTEN, ERR_EMULATED_METER_SOCAT, ERR_EMULATED_METER_PATH */
  static async open(port: ModbusPort, stateNow: () => P1MeterState): Promise<ModbusFace> {
    const face = new ModbusFace(port, stateNow);
    await face.plug();
    return face;
  }

  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  async plug(): Promise<void> {
    if (this.#server !== null) return;
    const endpoint = this.#endpoint;
    if (endpoint.kind === 'tcp') {
      const server = await serveModbusTcp([this.device], endpoint);
      this.#endpoint = { ...endpoint, port: server.port };
      this.#server = server;
    } else {
      const stream = new PtyStream(await Pty.open(endpoint.path));
      serveModbusStream(stream, [this.device]);
      this.#server = { stop: async () => void stream.destroy() };
    }
  }

  async unplug(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    await server?.stop();
  }
}
