import type { P1Fault, P1Telegram } from '../p1/telegram.ts';

/** Where telegrams come from: a serial port, a TCP bridge, a file, standard input. All look the same from here on. */
export interface P1Source {
  readonly name: string;
  /**
   * Hand over telegrams until the signal is aborted or, for a file, until its end. Trouble of the port is no
   * exception: it is a state, said once, and the port is tried again.
   */
  run(sink: P1SourceSink, signal: AbortSignal): Promise<void>;
  status(): P1SourceStatus;
}

export interface P1SourceSink {
  telegram(telegram: P1Telegram, receivedAtMs: number): void;
  /** A frame that yields no reading, and why. */
  fault?(fault: P1Fault): void;
}

export interface P1SourceStatus {
  readonly state: PortState;
  /** Since when it is in that state. */
  readonly sinceMs: number;
  /** What the port is set to, such as `115200 8N1`; null where there is nothing to set. */
  readonly mode: string | null;
  readonly lastTelegramMs: number | null;
  readonly telegrams: number;
  readonly bytes: number;
  readonly noiseBytes: number;
  readonly faults: Readonly<Partial<Record<P1Fault, number>>>;
  /** How often the port was opened. */
  readonly openings: number;
}

interface PortStateRow {
  readonly level: 'info' | 'warn';
  /** What it means and what to look at, for the one line that says so. */
  readonly text: string;
}

/** Every state that a port can be in. A change is one log line and one count; nothing else is. */
export const PORT_STATES = {
  starting: { level: 'info', text: 'not heard from yet' },
  receiving: { level: 'info', text: 'telegrams arrive' },
  ended: { level: 'info', text: 'the input has ended' },
  'port-closed': {
    level: 'warn',
    text: 'open, and nothing was ever sent: the customer port is closed (ask the operator to open it), or the cable is not in the meter',
  },
  silent: {
    level: 'warn',
    text: 'nothing is sent any more: meter without power, cable out of the meter, or customer port closed since',
  },
  'wrong-speed': {
    level: 'warn',
    text: 'a steady stream that is no text: wrong speed, parity or polarity (115200 8N1 from DSMR 4 on, before that 9600 7E1; the signal is inverted)',
  },
  noise: {
    level: 'warn',
    text: 'stray bytes and no telegram: loose or unshielded cable, or no meter behind it',
  },
  damaged: {
    level: 'warn',
    text: 'telegrams arrive and every one is damaged: cable too long, bad contact, or bytes lost on the way',
  },
  undecipherable: {
    level: 'warn',
    text: 'encrypted telegrams arrive that do not open: no key or a wrong one is configured',
  },
  unplugged: { level: 'warn', text: 'the device is not there: adapter unplugged, or another path' },
  denied: { level: 'warn', text: 'the device may not be opened by this user (on Debian: group dialout)' },
  busy: { level: 'warn', text: 'another program holds the device' },
  unreachable: { level: 'warn', text: 'the bridge does not answer: address, network or power' },
  'hung-up': { level: 'warn', text: 'the bridge closed the connection: many serve one reader at a time' },
  failed: { level: 'warn', text: 'the port failed in a way that is not known; the error code says how' },
} as const satisfies Readonly<Record<string, PortStateRow>>;
export type PortState = keyof typeof PORT_STATES;
