import { EdgeInside } from '../../../meter-emulator/meter/edge-inside.ts';
import { scheduleFaults } from '../../../meter-emulator/meter/fault-plan.ts';
import { EmulatedPhysicalMeter, type MeterConditions } from '../../../meter-emulator/meter/meter.ts';
import type { Clock } from '../../runtime/clock.ts';
import { Interrupt } from '../up/interrupt.ts';
import { MeterDisplay } from './display.ts';
import type { MeterFace } from './face.ts';
import { MeterLines } from './lines.ts';
import { type EmulateMeterFlags, type InsidePlan, planOf } from './options.ts';

/**
 * `hes emulate meter`: serves until it is interrupted. A meter has no end of its own, so being ended is success.
 *
 * @throws ERR_USAGE, ERR_MODBUS_PROFILE, ERR_MODBUS_EMULATOR_LISTEN, all of ERR_EMULATED_METER_…, and what opening
 *   a device throws
 */
export async function emulateMeter(flags: EmulateMeterFlags): Promise<void> {
  const { options, faults, inside: plan } = await planOf(flags);
  const interrupt = new Interrupt();
  const face = faceOf(flags);
  let inside: EdgeInside | null = null;
  const meter = await EmulatedPhysicalMeter.start({
    ...options,
    conditions: () => conditionsOf(inside?.meter.conditions(), options.conditions?.()),
    onEvent: (event) => face.event(event),
  });
  try {
    if (plan !== null) inside = await openInside(plan, meter, options.clock);
    face.begin(meter, inside);
    const calm = scheduleFaults(meter.faults, faults);
    await Promise.race([interrupt.happened, face.quit]);
    calm();
  } finally {
    await inside?.stop();
    await meter.stop();
    face.end();
  }
}

/** What operators command comes before what was said with `--message`. */
function conditionsOf(commanded: MeterConditions = {}, told: MeterConditions = {}): MeterConditions {
  const { message = '' } = commanded;
  return message === '' ? { ...commanded, ...told } : { ...told, ...commanded };
}

function openInside(
  plan: InsidePlan,
  meter: EmulatedPhysicalMeter,
  meteringClock: Clock,
): Promise<EdgeInside> {
  return EdgeInside.open({
    ...plan,
    plan: meter.plan,
    stateAt: (meteringMs) => meter.state(meteringMs),
    meteringClock,
  });
}

function faceOf({ seed = 1, json = false }: EmulateMeterFlags): MeterFace {
  const isTerminal = process.stdout.isTTY === true && process.env['TERM'] !== 'dumb';
  return isTerminal && !json ? new MeterDisplay(seed) : new MeterLines(seed, json);
}
