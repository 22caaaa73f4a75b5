import type { Unit } from '../../../protocol/reading.ts';
import { type Decoded, implausible } from './codec.ts';

/** What a low-voltage meter can show, in the base unit. Wide: it finds wrong profiles, not bad days. */
const RANGES: Partial<Record<Unit, readonly [min: number, max: number]>> = {
  V: [0, 1_000],
  A: [-10_000, 10_000],
  W: [-10e6, 10e6],
  var: [-10e6, 10e6],
  VA: [0, 10e6],
  Wh: [0, 1e12],
  varh: [0, 1e12],
  VAh: [0, 1e12],
  m3: [0, 1e9],
};

/** A meter that answers is fed by a phase: one of its voltages is one. The lowest nominal voltage is 100 V. */
const VOLTAGE_MIN = 50;

export interface Judged extends Decoded {
  readonly unit: Unit;
}

/**
 * Registers that were read with a wrong profile or word order are numbers too. Before they become a reading, they
 * must be numbers that a meter can show. @throws ERR_MODBUS_IMPLAUSIBLE, which says what, never the value
 */
export function requirePlausible(values: readonly Judged[]): void {
  let voltages = 0;
  let live = 0;
  for (const { value, scaler, unit } of values) {
    const range = RANGES[unit];
    const size = value * 10 ** scaler;
    if (range !== undefined && (size < range[0] || size > range[1]))
      throw implausible(`a value in ${unit} that no meter can show`);
    if (unit !== 'V') continue;
    voltages++;
    if (size >= VOLTAGE_MIN) live++;
  }
  if (voltages > 0 && live === 0) throw implausible('no voltage on any phase');
}
