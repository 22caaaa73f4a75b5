import type { Clock } from '../../gateway/runtime/clock.ts';
import type { FleetAnswer, FleetRequest } from '../control/protocol.ts';
import { fleetError } from '../errors.ts';
import { screenOf } from '../operations/screen.ts';
import type { FleetCommands, LiveMeter } from './commands.ts';
import type { EmulatedStation } from './emulated-station.ts';
import type { Visits } from './visits.ts';

export interface AttendantOptions {
  readonly commands: FleetCommands;
  readonly visits: Pick<Visits, 'with'>;
  /** The time that registers live in. */
  readonly meteringClock: Clock;
}

type Do = FleetRequest['do'];
type Act<D extends Do> = (
  live: LiveMeter,
  request: Extract<FleetRequest, { do: D }>,
) => Promise<FleetAnswer['did']>;

/** What can be done at a meter by whoever stands in front of it, and what it then shows. */
const ACTS: { readonly [D in Do]: Act<D> } = {
  screen: async () => null,
  press: ({ meter }, { heldMs }) => meter.press(heldMs),
  'airplane-off': async ({ meter }) => ((await meter.endAirplane()) ? 'ended' : 'not-silent'),
  power: async ({ meter, device, stays }, { on }) => {
    if (!on) device.setStay(false);
    await meter.setPower(on);
    if (on) device.setStay(stays);
    return on ? 'on' : 'off';
  },
};

/** Somebody in front of the meters of a running fleet. */
export class Attendant {
  readonly #options: AttendantOptions;

  constructor(options: AttendantOptions) {
    this.#options = options;
  }

  /** @throws ERR_FLEET_DEVICE, ERR_EMULATED_POWER, and what opening the device throws */
  async answer(request: FleetRequest): Promise<FleetAnswer> {
    const { commands, visits } = this.#options;
    const station = commands.stationOf(request.device);
    if (station === undefined)
      throw fleetError('ERR_FLEET_DEVICE', `no device ${request.device} in the fleet that runs here`);
    const live = commands.live(request.device);
    // One that is open may be awake at this moment: nobody in front of it waits for that.
    if (live !== undefined) return await this.#act(live, request);
    let answer: FleetAnswer | undefined;
    await visits.with(station, async () => {
      const opened = commands.live(request.device);
      if (opened !== undefined) answer = await this.#act(opened, request);
    });
    if (answer === undefined)
      throw fleetError('ERR_FLEET_DEVICE', `device ${request.device} takes no commands in this run`);
    return answer;
  }

  async #act(live: LiveMeter, request: FleetRequest): Promise<FleetAnswer> {
    const did = await (ACTS[request.do] as Act<Do>)(live, request);
    if (did !== null) this.#options.commands.attend(live.station);
    const screen = screenOf(live.meter, {
      connected: live.device.connected,
      telegram: () => live.station.telegramAt(this.#options.meteringClock.nowMs()),
    });
    return { did, screen: withLabel(request) ? { ...screen, ean: eanOf(live.station) } : screen };
  }
}

const withLabel = (request: FleetRequest): boolean => request.do === 'screen' && request.label;
const eanOf = ({ ean }: EmulatedStation): string => ean;
