import { P1_FAULTS, type P1Fault, type P1Telegram } from '../../edge/p1/telegram.ts';
import { type P1SourceStatus, PORT_STATES } from '../../edge/sources/source.ts';
import { telegramTable } from './table.ts';

export interface WatchedPort {
  readonly name: string;
  readonly status: P1SourceStatus;
  /** What the port speaks instead of P1, where that can be told. */
  readonly foreign: string | null;
}

/** How a watched port is shown. */
export interface WatchView {
  state(port: WatchedPort): void;
  telegram(telegram: P1Telegram): void;
  fault(fault: P1Fault): void;
  end(): void;
}

const SECOND_MS = 1000;

/** The state of a port in a sentence: what it is set to, what it does, what to look at. */
export function stateText({ name, status, foreign }: WatchedPort): string {
  const { state, mode } = status;
  const setting = mode === null ? '' : ` ${mode}`;
  const other = foreign !== null && status.telegrams === 0 ? `. It speaks ${foreign}: not P1 text` : '';
  return `${name}${setting}: ${state}, ${PORT_STATES[state].text}${other}`;
}

export function countsText({ status }: WatchedPort, nowMs: number): string {
  const { telegrams, lastTelegramMs, noiseBytes, faults } = status;
  const parts = [`${telegrams} ${telegrams === 1 ? 'telegram' : 'telegrams'}`];
  if (lastTelegramMs !== null)
    parts.push(`the last ${Math.max(0, Math.round((nowMs - lastTelegramMs) / SECOND_MS))} s ago`);
  for (const [fault, count] of Object.entries(faults)) parts.push(`${count} × ${fault}`);
  if (noiseBytes > 0) parts.push(`${noiseBytes} bytes of noise`);
  return parts.join(', ');
}

export interface LinesOptions {
  readonly print: (text: string) => void;
  readonly say: (text: string) => void;
  readonly telegram: (telegram: P1Telegram) => string;
  readonly fault: (fault: P1Fault) => string;
}

/** For a pipe or a file: each telegram as it comes, each state once, to standard error. */
export class LinesView implements WatchView {
  readonly #options: LinesOptions;
  #said = '';

  constructor(options: LinesOptions) {
    this.#options = options;
  }

  state(port: WatchedPort): void {
    const text = stateText(port);
    if (text === this.#said) return;
    this.#said = text;
    this.#options.say(`${text}\n`);
  }

  telegram(telegram: P1Telegram): void {
    this.#options.print(this.#options.telegram(telegram));
  }

  fault(fault: P1Fault): void {
    this.#options.print(this.#options.fault(fault));
  }

  end(): void {}
}

/** ECMA-48 and xterm: the other screen, so that the terminal is as it was afterwards. */
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const STATE_LINES = 3;
const ROWS_WHERE_UNKNOWN = 50;

export interface ScreenOptions {
  readonly print: (text: string) => void;
  readonly rows: () => number | undefined;
  readonly nowMs?: () => number;
}

/** For a person at a terminal: one picture that is drawn over. */
export class ScreenView implements WatchView {
  readonly #print: (text: string) => void;
  readonly #rows: () => number | undefined;
  readonly #nowMs: () => number;
  #last: WatchedPort | null = null;
  #table = '';
  #fault = '';
  #drawn = '';

  constructor({ print, rows, nowMs = Date.now }: ScreenOptions) {
    this.#print = print;
    this.#rows = rows;
    this.#nowMs = nowMs;
    print(ENTER);
  }

  state(port: WatchedPort): void {
    this.#last = port;
    this.#draw();
  }

  telegram(telegram: P1Telegram): void {
    this.#table = telegramTable(telegram);
    this.#fault = '';
  }

  fault(fault: P1Fault): void {
    this.#fault = `The last frame was no reading: ${P1_FAULTS[fault]}`;
  }

  end(): void {
    this.#print(LEAVE);
    if (this.#last === null) return;
    this.#print(`${stateText(this.#last)}\n${countsText(this.#last, this.#nowMs())}\n`);
  }

  /** Drawn over from the top, and what was longer before is cleared: no flicker, and nothing left behind. */
  #draw(): void {
    const port = this.#last!;
    // A terminal that was told no size says 0.
    const room = Math.max(0, (this.#rows() || ROWS_WHERE_UNKNOWN) - STATE_LINES - 1);
    const table = this.#table.trimEnd().split('\n');
    const shown = table.length > room ? [...table.slice(0, Math.max(0, room - 1)), MORE] : table;
    const lines = [stateText(port), countsText(port, this.#nowMs()), this.#fault, ...shown];
    const picture = `${HOME}${lines.map((line) => `${line}${CLEAR_LINE}`).join('\n')}${CLEAR_BELOW}`;
    if (picture === this.#drawn) return;
    this.#drawn = picture;
    this.#print(picture);
  }
}

const MORE = '… and more: a taller window shows it';
