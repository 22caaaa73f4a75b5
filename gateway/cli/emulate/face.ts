import type { EdgeInside } from '../../../meter-emulator/meter/edge-inside.ts';
import type { EmulatedPhysicalMeter, MeterEvent } from '../../../meter-emulator/meter/meter.ts';

/** How a run is shown: on a terminal, or as lines. */
export interface MeterFace {
  /** `inside`: the edge that takes commands, where it has one. */
  begin(meter: EmulatedPhysicalMeter, inside: EdgeInside | null): void;
  event(event: MeterEvent): void;
  end(): void;
  /** The person at it wants to end. */
  readonly quit: Promise<void>;
}
