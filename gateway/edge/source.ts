import type { Medium, ObisCode, Peak, Register, Timestamp, Unit } from '../../protocol/reading.ts';

/**
 * What a source (P1, Modbus, virtual) hands to the edge: the meter as it stood at one moment.
 * Nothing of a source's own format gets past here, so the day close is one and the same for all of them.
 */

/** A momentary value: voltage, current, power. Only its lowest and highest of a day are kept. */
export interface Instant {
  readonly obis: ObisCode;
  /** Integer, `value × 10^scaler` of `unit`. */
  readonly value: number;
  readonly scaler: number;
  readonly unit: Unit;
}

export interface MeterSnapshot {
  readonly medium: Medium;
  /** 0 is the device's own meter, 1 to 4 an M-Bus channel. */
  readonly channel: number;
  readonly serial: string;
  readonly ean: string | null;
  readonly registers: readonly Register[];
  readonly peaks: readonly Peak[];
  readonly instants: readonly Instant[];
  /** Bits of QUALITY that the source itself saw. */
  readonly flags: number;
}

export interface Snapshot {
  /** The edge's own clock. */
  readonly at: Timestamp;
  /** What the meter's clock said, or null where it said nothing or a placeholder. */
  readonly meterTime: Timestamp | null;
  readonly meters: readonly MeterSnapshot[];
}
