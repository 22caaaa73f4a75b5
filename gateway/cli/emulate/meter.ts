import { scheduleFaults } from '../../../meter-emulator/meter/fault-plan.ts';
import { EmulatedPhysicalMeter } from '../../../meter-emulator/meter/meter.ts';
import { Interrupt } from '../up/interrupt.ts';
import { MeterDisplay } from './display.ts';
import type { MeterFace } from './face.ts';
import { MeterLines } from './lines.ts';
import { type EmulateMeterFlags, planOf } from './options.ts';

/**
 * `hes emulate meter`: serves until it is interrupted. A meter has no end of its own, so being ended is success.
 *
 * @throws ERR_USAGE, ERR_MODBUS_PROFILE, ERR_MODBUS_EMULATOR_LISTEN and all of ERR_EMULATED_METER_…
 */
export async function emulateMeter(flags: EmulateMeterFlags): Promise<void> {
  const { options, faults } = await planOf(flags);
  const interrupt = new Interrupt();
  const face = faceOf(flags);
  const meter = await EmulatedPhysicalMeter.start({ ...options, onEvent: (event) => face.event(event) });
  try {
    face.begin(meter);
    const calm = scheduleFaults(meter.faults, faults);
    await Promise.race([interrupt.happened, face.quit]);
    calm();
  } finally {
    await meter.stop();
    face.end();
  }
}

function faceOf({ seed = 1, json = false }: EmulateMeterFlags): MeterFace {
  const isTerminal = process.stdout.isTTY === true && process.env['TERM'] !== 'dumb';
  return isTerminal && !json ? new MeterDisplay(seed) : new MeterLines(seed, json);
}
