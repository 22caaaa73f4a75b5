import type { EdgeInside } from '../../../meter-emulator/meter/edge-inside.ts';
import { METER_FAULTS, type MeterFault } from '../../../meter-emulator/meter/faults.ts';
import type { EmulatedPhysicalMeter, MeterEvent } from '../../../meter-emulator/meter/meter.ts';
import { HOLD_MS, PRESS_MS } from '../../../meter-emulator/operations/buttons.ts';
import { type MeterScreen, screenOf } from '../../../meter-emulator/operations/screen.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { MeterFace } from './face.ts';
import { endpointText } from './lines.ts';
import { renderMeter } from './render.ts';
import { PageTurner, pagesOf } from './screens.ts';

/** Alternate screen and no cursor; and back. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[2J';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

const DRAW_EVERY_MS = 250;
const BLINK_MS = 500;
const COLUMNS_USUAL = 80;
const ROWS_USUAL = 24;

const CTRL_C = '\x03';
/** Any of them is the meter's button. */
const BUTTON_KEYS: ReadonlySet<string> = new Set([' ', '\r', '\n', 'b']);

/** The meter's display and button on a terminal. */
export class MeterDisplay implements MeterFace {
  readonly quit: Promise<void>;
  readonly #seed: number;
  readonly #turner = new PageTurner();
  #wantQuit: () => void = () => {};
  #meter: EmulatedPhysicalMeter | null = null;
  #inside: EdgeInside | null = null;
  #timer: NodeJS.Timeout | undefined;
  #choosingFault = false;
  #note = '';
  /** What is on the screen: a picture that stays is not sent again. */
  #drawn = '';
  #entered = false;

  constructor(seed: number) {
    this.#seed = seed;
    this.quit = new Promise((resolve) => {
      this.#wantQuit = resolve;
    });
  }

  begin(meter: EmulatedPhysicalMeter, inside: EdgeInside | null): void {
    this.#meter = meter;
    this.#inside = inside;
    // Whatever ends the process, a crash too, the terminal is as it was.
    process.once('exit', this.#restore);
    process.stdout.on('error', () => this.#wantQuit());
    process.stdout.write(ENTER);
    this.#entered = true;
    if (process.stdin.isTTY === true) {
      process.stdin.setRawMode(true);
      process.stdin.setEncoding('utf8');
      process.stdin.on('data', this.#keys);
      process.stdin.on('end', this.#wantQuit);
    }
    process.stdout.on('resize', this.#redraw);
    this.#timer = setInterval(this.#draw, DRAW_EVERY_MS);
    this.#draw();
  }

  event(event: MeterEvent): void {
    if (event.kind === 'telegram') {
      if (event.fault !== null) this.#note = `last telegram spoilt: ${METER_FAULTS[event.fault].text}`;
    } else if (event.kind === 'fault') this.#note = `${METER_FAULTS[event.fault].text}: ${event.state}`;
    else this.#note = event.message;
  }

  end(): void {
    clearInterval(this.#timer);
    process.stdin.off('data', this.#keys);
    process.stdin.pause();
    process.stdout.off('resize', this.#redraw);
    this.#restore();
    process.off('exit', this.#restore);
  }

  readonly #restore = (): void => {
    if (!this.#entered) return;
    this.#entered = false;
    if (process.stdin.isTTY === true) process.stdin.setRawMode(false);
    process.stdout.write(LEAVE);
  };

  readonly #keys = (text: string): void => {
    for (const key of text) this.#key(key);
    this.#draw();
  };

  #key(key: string): void {
    const meter = this.#meter!;
    if (key === 'q' || key === CTRL_C) this.#wantQuit();
    else if (this.#choosingFault) {
      this.#choosingFault = false;
      const fault = FAULT_OF_KEY.get(key);
      if (fault === undefined) this.#note = '';
      else if (meter.faults.standing.includes(fault)) meter.faults.end(fault);
      else if (!meter.faults.possible(fault)) this.#note = 'this dialect prints no CRC';
      else {
        meter.faults.begin(fault);
        this.#note = `${METER_FAULTS[fault].text}: asked for`;
      }
    } else if (key === 'f') this.#choosingFault = true;
    else if (this.#inside !== null && Object.hasOwn(HANDS, key)) void this.#act(this.#inside, HANDS[key]!);
    else if (BUTTON_KEYS.has(key)) this.#turn();
  }

  /** A hand at a meter that takes commands. */
  async #act(inside: EdgeInside, hand: Hand): Promise<void> {
    try {
      const note = await hand(inside);
      // The button did nothing to switch and prepayment: it leads through the registers.
      if (note === null) this.#turn();
      this.#note = note ?? '';
    } catch (error) {
      if (!isHesError(error)) throw error;
      this.#note = error.message;
    }
    this.#draw();
  }

  #turn(): void {
    const { pages, cycling } = pagesOf(this.#meter!.state());
    this.#turner.press(pages.length, cycling, performance.now());
  }

  #screen(): MeterScreen | null {
    if (this.#inside === null) return null;
    const { meter, device } = this.#inside;
    return screenOf(meter, { connected: device.connected, telegram: () => null });
  }

  readonly #redraw = (): void => {
    this.#drawn = '';
    this.#draw();
  };

  readonly #draw = (): void => {
    const meter = this.#meter!;
    const state = meter.state();
    const { pages, cycling } = pagesOf(state);
    const nowMs = performance.now();
    const at = Math.min(this.#turner.at(cycling, nowMs), pages.length - 1);
    // A terminal that was told no size says 0.
    const columns = process.stdout.columns || COLUMNS_USUAL;
    const rows = process.stdout.rows || ROWS_USUAL;
    const lines = renderMeter({
      seed: this.#seed,
      dialect: meter.dialect,
      state,
      page: pages[at]!,
      position: `${at + 1}/${pages.length}`,
      blinkOn: Math.floor(nowMs / BLINK_MS) % 2 === 0,
      readers: meter.readers,
      telegrams: meter.telegrams,
      standing: meter.faults.standing,
      places: [
        ...meter.endpoints.map((one) => `P1 at ${endpointText(one)}`),
        ...meter.modbus.map(
          ({ endpoint, profile, unit }) =>
            `Modbus ${profile.name}, unit ${unit}, at ${endpointText(endpoint)}`,
        ),
      ],
      choosingFault: this.#choosingFault,
      note: this.#note,
      commanded: this.#screen(),
    });
    const fitting = lines.slice(0, rows - 1).map((line) => line.slice(0, columns - 1) + CLEAR_LINE);
    const picture = `${HOME}${fitting.join('\r\n')}${CLEAR_BELOW}`;
    if (picture === this.#drawn) return;
    this.#drawn = picture;
    process.stdout.write(picture);
  };
}

type Hand = (inside: EdgeInside) => Promise<string | null>;

const NOTES = {
  closed: 'the supply is on again',
  'leak-test': 'the leak test runs',
  'next-screen': '',
  nothing: null,
} as const;

const press: Hand = async ({ meter }) => NOTES[await meter.press(PRESS_MS)];

/** What a person at the meter can do, by key. */
const HANDS: Readonly<Record<string, Hand>> = {
  ...Object.fromEntries([...BUTTON_KEYS].map((key) => [key, press])),
  h: async ({ meter }) => NOTES[await meter.press(HOLD_MS)],
  a: async ({ meter }) =>
    (await meter.endAirplane()) ? 'airplane mode has ended' : 'it was not in airplane mode',
  p: async (inside) => {
    await inside.setPower(!inside.meter.power);
    return inside.meter.power ? 'power is on' : 'power is off';
  },
};

const FAULT_OF_KEY: ReadonlyMap<string, MeterFault> = new Map(
  Object.entries(METER_FAULTS).map(([name, { key }]) => [key, name as MeterFault]),
);
