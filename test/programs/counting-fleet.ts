import { appendFileSync } from 'node:fs';
import { Performer } from '../../gateway/edge/operations/performer.ts';
import { SimulatedHardware } from '../../meter-emulator/operations/hardware.ts';

/**
 * `hes fleet` with somebody who counts: each command that a meter executed, and each move of its hardware, is a line
 * of the file that HES_COUNTED names. The line is written after the deed, so that no kill makes one of what was not
 * done; what was done twice is two lines.
 *
 * With HES_FAULT=doubling every fifth command is executed twice, so that a test can see whether its judge notices.
 */
const file = process.env['HES_COUNTED']!;
const doubling = process.env['HES_FAULT'] === 'doubling';
const EVERY = 5;

const { execute } = Performer.prototype;
let executed = 0;
Performer.prototype.execute = async function (this: Performer, step, known, counter, expiry) {
  const times = doubling && ++executed % EVERY === 0 ? 2 : 1;
  let done: Awaited<ReturnType<typeof execute>>;
  for (let time = 0; time < times; time++) {
    done = await execute.call(this, step, known, counter, expiry);
    if (done?.code === null) appendFileSync(file, `executed ${known.id}\n`);
  }
  return done;
};

const { perform } = SimulatedHardware.prototype;
SimulatedHardware.prototype.perform = async function (this: SimulatedHardware, action) {
  const result = await perform.call(this, action);
  if (result === 'done') appendFileSync(file, `moved ${JSON.stringify(action)}\n`);
  return result;
};

await import('../../gateway/cli/hes.ts');
