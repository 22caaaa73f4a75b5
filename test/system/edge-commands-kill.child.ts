import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EdgeDevice } from '../../gateway/edge/device.ts';
import type { Action, Hardware } from '../../gateway/edge/operations/step.ts';
import { nodeFiles, type OutboxFiles } from '../../gateway/edge/outbox/files.ts';
import { readDeviceIdentity } from '../../pki/identity.ts';

/**
 * The victim of edge-commands-kill.test.ts: a meter that takes commands, and ends itself by SIGKILL at one of the
 * moments that matter: before and after each write of its journal, and before and after each thing that it does.
 */

/** What the hardware did, one line each: it outlives the process, as a breaker does. */
export const DONE_FILE = 'done';
export const JOURNAL_FILE = 'operations';

const [directory, identityFile, port, killAt] = process.argv.slice(2);

let moment = 0;
function pass(): void {
  if (++moment === Number(killAt)) process.kill(process.pid, 'SIGKILL');
}

function hardware(file: string): Hardware {
  return {
    perform(action: Action) {
      pass();
      appendFileSync(file, `${JSON.stringify(action)}\n`);
      pass();
      return 'done';
    },
    standing(action: Action) {
      if (!existsSync(file)) return false;
      return readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) === JSON.stringify(action);
    },
  };
}

function files(journal: string): OutboxFiles {
  const around =
    (write: OutboxFiles['appendDurably']): OutboxFiles['appendDurably'] =>
    async (path, bytes) => {
      if (path === journal) pass();
      await write(path, bytes);
      if (path === journal) pass();
    };
  const { appendDurably, replaceDurably } = nodeFiles;
  return { ...nodeFiles, appendDurably: around(appendDurably), replaceDurably: around(replaceDurably) };
}

async function live(folder: string): Promise<void> {
  const identity = readDeviceIdentity(identityFile!);
  const { device: id, home } = identity;
  const device = await EdgeDevice.start({
    directory: folder,
    identity,
    owners: () => home,
    headEnd: { host: '127.0.0.1', port: Number(port) },
    development: true,
    limits: { schedule: { jitterMs: 0, backoffBaseMs: 20, backoffMaxMs: 200 } },
    files: files(join(folder, JOURNAL_FILE)),
    commands: {
      installation: {
        device: id,
        home,
        meters: [{ channel: 0, owner: home, medium: 'electricity', switchable: true }],
        protectedPeriods: [],
      },
      hardware: hardware(join(folder, DONE_FILE)),
      stay: true,
    },
  });
  process.on('disconnect', () => process.exit(0));
  for (;;) {
    const nextMs = device.nextWakeMs();
    if (nextMs !== null && nextMs <= Date.now()) await device.wake();
    await delay(20);
  }
}

if (import.meta.main && directory !== undefined) await live(directory);
