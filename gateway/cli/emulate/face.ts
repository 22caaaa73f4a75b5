import type { EmulatedPhysicalMeter, MeterEvent } from '../../../meter-emulator/meter/meter.ts';

/** How a run is shown: on a terminal, or as lines. */
export interface MeterFace {
  begin(meter: EmulatedPhysicalMeter): void;
  event(event: MeterEvent): void;
  end(): void;
  /** The person at it wants to end. */
  readonly quit: Promise<void>;
}
