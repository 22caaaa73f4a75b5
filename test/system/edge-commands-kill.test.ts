import { fork } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Office, sealFor } from '../../gateway/edge/testing/commanded.ts';
import { FakeHeadEnd } from '../../gateway/edge/testing/head-end.ts';
import { ORES } from '../../gateway/edge/testing/meters.ts';
import { systemClock } from '../../gateway/runtime/clock.ts';
import { randomInteger, seededRandom } from '../../gateway/runtime/random.ts';
import { issueDevice } from '../../pki/development/development.ts';
import { saveDeviceIdentity } from '../../pki/identity.ts';
import { DONE_FILE } from './edge-commands-kill.child.ts';

const CHILD = join(import.meta.dirname, 'edge-commands-kill.child.ts');
const SEED = Number(process.env['HES_TEST_SEED'] ?? 29);
const COMMANDS = Number(process.env['HES_TEST_COMMANDS'] ?? 8);
/** A command with an action passes six moments, its receipt two, a start with a journal two. */
const MOMENTS_MAX = 14;
const KILLS_MAX = 200;

let directory: string;
let headEnd: FakeHeadEnd;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hes-edge-commands-kill-'));
  headEnd = await FakeHeadEnd.start(join(directory, 'pki'), [ORES]);
});
afterAll(async () => {
  await headEnd.stop();
  rmSync(directory, { recursive: true });
});

/** One life of the meter: until it kills itself, or nothing is left for it to do. */
function life(identity: string, killAt: number, isOver: () => boolean): Promise<NodeJS.Signals | null> {
  const folder = join(directory, 'device');
  const child = fork(CHILD, [folder, identity, String(headEnd.port), String(killAt)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  return new Promise((resolve, reject) => {
    const looking = setInterval(() => {
      if (!isOver()) return;
      clearInterval(looking);
      child.disconnect();
    }, 20);
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      clearInterval(looking);
      if (code !== 0 && signal !== 'SIGKILL') reject(new Error(`the meter ended with ${code ?? signal}`));
      else resolve(signal);
    });
  });
}

/**
 * A desk that keeps asking until it has an answer: each command goes out again whenever the meter is awake, and an
 * answer is believed once. Every limit is another one, so that what was done names its command.
 */
test(`a meter that is killed again and again obeys each command once (seed ${SEED})`, async () => {
  const random = seededRandom('edge-commands-kill', SEED);
  const identity = issueDevice(headEnd.pki, { home: ORES, guests: [], nowMs: Date.now() });
  const { device } = identity;
  const file = saveDeviceIdentity(directory, identity);
  mkdirSync(join(directory, 'device'), { recursive: true });
  const office = new Office(headEnd.pki, systemClock);
  const commands = Array.from({ length: COMMANDS }, (_, index) =>
    office.command(device, 'limiter.set', { powerW: 1_000 + 100 * index }),
  );
  const answered = (): Set<string> => new Set(headEnd.results.map(({ outcome }) => outcome.command));
  headEnd.dispatch = () => {
    const next = commands.find(({ id }) => !answered().has(id));
    if (next !== undefined) headEnd.send(ORES, device, sealFor(identity, ORES, office.sign(next)));
  };
  const isOver = (): boolean => answered().size === COMMANDS;

  let kills = 0;
  while (!isOver()) {
    const signal = await life(file, randomInteger(random, 1, MOMENTS_MAX), isOver);
    if (signal === 'SIGKILL') kills++;
    expect(kills).toBeLessThan(KILLS_MAX);
  }
  expect(kills).toBeGreaterThan(0);

  const doneFile = join(directory, 'device', DONE_FILE);
  const done = existsSync(doneFile) ? readFileSync(doneFile, 'utf8').trimEnd().split('\n') : [];
  for (const [index, { id }] of commands.entries()) {
    const told = headEnd.results.filter(({ outcome }) => outcome.command === id);
    // However often it was told: one outcome, under one number.
    expect(new Set(told.map(({ outcome }) => JSON.stringify(outcome))).size, `command ${index}`).toBe(1);
    expect(new Set(told.map(({ result }) => result.sequence)).size, `command ${index}`).toBe(1);
    expect(told[0]!.outcome.state, `command ${index}`).toBe('executed');
    const action = JSON.stringify({ kind: 'limiter', powerW: 1_000 + 100 * index });
    expect(
      done.filter((line) => line === action),
      `command ${index}`,
    ).toHaveLength(1);
  }
});
