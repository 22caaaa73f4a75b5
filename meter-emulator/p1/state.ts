import type { Timestamp } from '../../protocol/reading.ts';

/**
 * What a P1 port has to say at one moment, in integers. A dialect prints what it has a line for and leaves the
 * rest out; nothing is worked out here, so that what was put in is what a reader must get back.
 */
export interface P1MeterState {
  /** The first line without its `/`: `FLU5\253769484_A`. */
  readonly header: string;
  readonly serial: string;
  /** 18 digits, or null; e-MUCS 2 prints it. */
  readonly ean: string | null;
  /** Offset 120 prints `S`, 60 prints `W`. */
  readonly time: Timestamp;
  /** Registers 1 and 2. In Belgium 1 is day and 2 is night; in the Netherlands the other way round. */
  readonly importWh: readonly [number, number];
  readonly exportWh: readonly [number, number];
  /** Registers 3 and 4, which Hungary and the Baltic states print; zero where they are left out. */
  readonly laterImportWh?: readonly [number, number];
  readonly laterExportWh?: readonly [number, number];
  /** Reactive energy by quadrant, I to IV; where it is left out, `reactive.ts` makes it of the active energy. */
  readonly reactiveVarh?: readonly [number, number, number, number];
  /** Hundredths of a hertz; 50 Hz where it is left out. */
  readonly frequencyCentiHz?: number;
  /** What 0-0:96.14.0 shows: the register that runs, or where a plan has more rates than registers the rate itself. */
  readonly rate: number;
  /** Average import of the running quarter-hour. */
  readonly quarterPowerW: number;
  readonly monthPeak: P1PeakState;
  /** Closed months, oldest first; at most 13. */
  readonly closedPeaks: readonly P1ClosedPeakState[];
  /** One or three. */
  readonly phases: readonly P1PhaseState[];
  /** 0 open, 1 closed, 2 ready for reconnection; null prints no line. */
  readonly breaker: 0 | 1 | 2 | null;
  /** States of relays 1 to 4; e-MUCS 2 prints them. */
  readonly relays: readonly (0 | 1)[];
  /** Null is no limit, which prints as nines. */
  readonly limiterW: number | null;
  /** Null is no supervision, which prints as nines. */
  readonly fuseCentiA: number | null;
  /** 400, or 230 on a delta grid; e-MUCS 2 prints it. */
  readonly gridVolts: 230 | 400;
  readonly message: string;
  /** The numeric message of DSMR 2.2 to 4; empty where it is left out. */
  readonly messageCode?: string;
  /** Luxembourg's messages 2 to 5. */
  readonly moreMessages?: readonly string[];
  /** DSMR prints these. */
  readonly shortFailures: number;
  readonly longFailures: readonly P1FailureState[];
  /** M-Bus devices, in the order in which they are printed. */
  readonly devices: readonly P1DeviceState[];
  /** Electricity meters behind this one, on M-Bus channels that no device has; DSMR prints them. */
  readonly slaves?: readonly P1SlaveState[];
}

export interface P1PeakState {
  /** Null prints a placeholder: no quarter-hour has ended yet. */
  readonly time: Timestamp | null;
  readonly powerW: number;
}

export interface P1ClosedPeakState extends P1PeakState {
  /** The midnight that closed the month. */
  readonly monthEnd: Timestamp;
}

export interface P1PhaseState {
  readonly voltageDeciV: number;
  /** DSMR 4 and 5 print whole amperes, e-MUCS hundredths. */
  readonly currentCentiA: number;
  readonly importW: number;
  readonly exportW: number;
  /** Above zero it is taken, below it is given back; where it is left out, `reactive.ts` makes it of the active. */
  readonly reactiveVar?: number;
  /** Thousandths; 1 where it is left out. */
  readonly powerFactorMilli?: number;
}

export interface P1FailureState {
  /** When the power came back. */
  readonly end: Timestamp;
  readonly durationSeconds: number;
}

export interface P1DeviceState {
  /** 1 to 4. */
  readonly channel: number;
  /** EN 13757-3: 3 gas, 4 heat, 7 water. */
  readonly deviceType: 3 | 4 | 7;
  readonly serial: string;
  readonly ean: string | null;
  readonly valve: 0 | 1 | 2 | null;
  /** Capture time of the value; null prints a placeholder. */
  readonly time: Timestamp | null;
  /** Litres of gas and water, megajoules of heat. */
  readonly value: number;
}

export interface P1SlaveState {
  /** 1 to 4. */
  readonly channel: number;
  readonly serial: string;
  readonly time: Timestamp;
  readonly energyWh: number;
}
