import { askFleet } from '../../meter-emulator/control/client.ts';
import type { FleetAnswer } from '../../meter-emulator/control/protocol.ts';
import { HOLD_MS, PRESS_MS } from '../../meter-emulator/operations/buttons.ts';
import type { MeterScreen } from '../../meter-emulator/operations/screen.ts';
import type { DeviceId } from '../../protocol/identity.ts';

/** A hand and an eye at the meters of a fleet that runs in a data folder (`hes up --data DIR`). */
export class FleetVisitor {
  readonly #data: string;

  constructor(data: string) {
    this.#data = data;
  }

  /** What a meter shows. */
  async screen(device: DeviceId): Promise<MeterScreen> {
    return (await askFleet(this.#data, { do: 'screen', device })).screen;
  }

  /** The EAN on its label, which a critical command asks for. */
  async label(device: DeviceId): Promise<string> {
    return (await askFleet(this.#data, { do: 'screen', device, label: true })).screen.ean!;
  }

  press(device: DeviceId, { hold = false } = {}): Promise<FleetAnswer> {
    return askFleet(this.#data, { do: 'press', device, heldMs: hold ? HOLD_MS : PRESS_MS });
  }

  endAirplane(device: DeviceId): Promise<FleetAnswer> {
    return askFleet(this.#data, { do: 'airplane-off', device });
  }

  power(device: DeviceId, on: boolean): Promise<FleetAnswer> {
    return askFleet(this.#data, { do: 'power', device, on });
  }

  /** Ask until it shows what is expected; a fleet that is being started again is waited for. */
  async shows(
    device: DeviceId,
    what: string,
    holds: (screen: MeterScreen) => boolean,
    withinMs = 60_000,
  ): Promise<MeterScreen> {
    const giveUpMs = Date.now() + withinMs;
    for (;;) {
      const screen = await this.screen(device).catch(() => undefined);
      if (screen !== undefined && holds(screen)) return screen;
      if (Date.now() > giveUpMs) throw new Error(`${what}: ${JSON.stringify(screen ?? 'no fleet answers')}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
