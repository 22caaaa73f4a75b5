import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDesk } from '../../gateway/desk/desk.ts';
import { deviceOf, idOf, newCommand, ORES, T0_MS } from '../../gateway/desk/store/contract-samples.ts';
import type { CommandFilter, DeskTransaction } from '../../gateway/desk/store/port.ts';
import { openSqliteStore } from '../../gateway/desk/store/sqlite/store.ts';
import { type Random, randomInteger, randomPick, seededRandom } from '../../gateway/runtime/random.ts';
import { encodeCommand } from '../../protocol/command/command.ts';
import { COMMAND_TYPES } from '../../protocol/command/table.ts';
import { sampleCommand } from '../../protocol/testing/command-samples.ts';

/** A desk some years old: what people ask of it, with so many commands in its store. */

const DEVICES = 10_000;
/** Of those that have not ended: what waits for meters on an ordinary day. */
const WAITING = 5_000;
const IN_ONE_COMMIT = 10_000;
const PAGE = 50;
const PEOPLE = Array.from({ length: 40 }, (_, at) => `person-${at}`);
const RARE = 'limiter.set';
const USUAL = COMMAND_TYPES.filter((type) => type !== RARE);
/** Most were executed, as with any operator; a few are of a kind that whoever searches has to search for. */
const ENDS = ['executed', 'executed', 'executed', 'executed', 'refused', 'expired', 'unknown'] as const;

/** Milliseconds of each time that a question was asked. */
export type Answers = Readonly<Record<string, readonly number[]>>;

async function fill(transaction: DeskTransaction, from: number, to: number, size: number, random: Random) {
  for (let number = from; number <= to; number++) {
    const type = number % 100_000 === 7 ? RARE : randomPick(random, USUAL);
    const device = deviceOf(randomInteger(random, 0, DEVICES - 1));
    const state =
      number > size - WAITING ? 'queued' : number % 50_000 === 9 ? 'cancelled' : randomPick(random, ENDS);
    const person = randomPick(random, PEOPLE);
    const command = newCommand(number, { device, type, state, person, proposedAtMs: T0_MS + number });
    const payload = encodeCommand(sampleCommand(type, { device, id: command.id }));
    await transaction.insert(command, { payload, signed: Buffer.concat([payload, SIGNATURE]) });
  }
}
/** A certificate, a signature and what is around them. */
const SIGNATURE = Buffer.alloc(640, 5);

/** Ask each question so many times, with other values each time. */
export async function askArchive(
  size: number,
  times: number,
  progress: (line: string) => void,
): Promise<Answers> {
  const folder = mkdtempSync(join(tmpdir(), 'hes-bench-archive-'));
  const store = openSqliteStore({ path: join(folder, 'desk.sqlite'), tenant: ORES });
  const nobody = (): never => {
    throw new Error('nobody signs here');
  };
  const desk = createDesk({ store, trust: nobody, deviceKeys: nobody });
  const random = seededRandom('bench', 'archive');
  try {
    for (let from = 1; from <= size; from += IN_ONE_COMMIT) {
      const to = Math.min(size, from + IN_ONE_COMMIT - 1);
      await store.transaction((transaction) => fill(transaction, from, to, size, random));
      if (to % 200_000 === 0) progress(`${to} of ${size} commands are in the store`);
    }
    const list = (filter: CommandFilter, before?: number) =>
      desk.list({ filter, limit: PAGE, ...(before === undefined ? {} : { before }) });
    const device = () => deviceOf(randomInteger(random, 0, DEVICES - 1));
    const person = () => randomPick(random, PEOPLE);
    const questions: Readonly<Record<string, () => Promise<unknown>>> = {
      'list: the newest': () => list({}),
      'list: a page far back': () => list({}, randomInteger(random, 1, size)),
      'list: a device': () => list({ device: device() }),
      'list: a person': () => list({ person: person() }),
      'list: what is queued': () => list({ state: 'queued' }),
      'list: executed of a type': () => list({ state: 'executed', type: randomPick(random, USUAL) }),
      'list: a rare type': () => list({ type: RARE }),
      'list: hardly any of a person': () => list({ person: person(), state: 'cancelled' }),
      'list: hardly any at all': () => list({ state: 'cancelled' }),
      'show: a command': () => desk.show(idOf(randomInteger(random, 1, size))),
      'sweep: devices for which something waits': () =>
        store.waitingDevices({ nowMs: T0_MS + 1_000, limit: 256, after: device() }),
    };
    const answers = Object.fromEntries(Object.keys(questions).map((name) => [name, [] as number[]]));
    for (let time = 0; time < times; time++)
      for (const [name, ask] of Object.entries(questions)) {
        const startedMs = performance.now();
        await ask();
        const tookMs = performance.now() - startedMs;
        answers[name]!.push(tookMs);
      }
    return answers;
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
