import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { deskWorld, deviceOf, NOW_MS } from '../../gateway/desk/testing/world.ts';
import { randomInteger, seededRandom } from '../../gateway/runtime/random.ts';
import { type CommandId, commandIdOf } from '../../protocol/command/id.ts';
import { isHesError } from '../../protocol/errors.ts';

/**
 * The victim of desk-store-kill.test.ts: proposes, sends, answers and cancels commands in several lines at once, and
 * says on its standard output what it was told, until it is killed.
 */
const LINES = 12;
/** Those that the world registers. */
const DEVICES = 3;
const RUN_MS = 3_600_000;

/** Said before the next step is taken: whoever listens slowly makes the victim wait. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

async function work(directory: string, seed: string, run: number): Promise<void> {
  const world = await deskWorld({}, directory);
  // Each run is an hour later: what the one before left in flight has ended by then.
  world.clock.set(NOW_MS + run * RUN_MS);
  while ((await world.desk.expire()) > 0);
  say('open');

  async function line(name: number): Promise<never> {
    const random = seededRandom(seed, run, name);
    for (;;) {
      const device = deviceOf(randomInteger(random, 1, DEVICES));
      const id: CommandId = commandIdOf(randomBytes(16));
      const command = world.command('read.now', { id, device });
      try {
        say(`asking ${id}`);
        say(`is ${id} ${(await world.propose(command)).state}`);
        const dispatch = await world.desk.claim(device);
        if (dispatch !== undefined) {
          say(`is ${dispatch.command.id} sent`);
          const answered = await world.says(dispatch.command, random() < 0.7 ? null : 'unsupported');
          say(`is ${answered.id} ${answered.state}`);
        }
        if (random() < 0.5)
          say(`is ${id} ${(await world.desk.cancel({ id, by: { role: 'operator', person: 'bob' } })).state}`);
        const { n, hash } = await world.store.auditHead();
        say(`head ${n} ${hash}`);
      } catch (error) {
        // Lines come in each other's way: a queue is full, a command went while another wanted to cancel it.
        if (!isHesError(error) || error.code.startsWith('ERR_DESK_STORE')) throw error;
      }
    }
  }
  await Promise.all(Array.from({ length: LINES }, (_, name) => line(name)));
}

const [directory, seed, run] = process.argv.slice(2);
if (import.meta.main && directory !== undefined && seed !== undefined)
  await work(directory, seed, Number(run));
