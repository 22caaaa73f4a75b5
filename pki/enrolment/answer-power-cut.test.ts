import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { createDevelopmentPki } from '../development/development.ts';
import { readDeviceIdentity } from '../identity.ts';
import { FARYS, NOW_MS, ORES } from '../testing/field.ts';
import { acceptAnswer, rootFingerprint } from './answer-accept.ts';
import { answerEnrolment } from './answer-issue.ts';
import { documentText, type EnrolmentRequest } from './request.ts';
import { checkEnrolmentRequest } from './request-check.ts';
import { beginEnrolment } from './request-pending.ts';

/**
 * The power is cut before each operation on a file in turn: it and everything after it never happen, what was written
 * and not flushed is gone, and an entry of a folder that was not flushed is there or not. Then the step is run again.
 */
const power = vi.hoisted(() => ({
  operations: 0,
  /** The number of the operation before which the power is cut. */
  cutAt: Number.POSITIVE_INFINITY,
  paths: new Map<number, string>(),
  unflushed: new Set<string>(),
  /** Names made in folders that were not flushed since. */
  unlisted: new Set<string>(),
}));

class PowerCut extends Error {}

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const step = (): void => {
    power.operations += 1;
    if (power.operations >= power.cutAt) throw new PowerCut();
  };
  return {
    ...real,
    openSync: (...args: Parameters<typeof real.openSync>) => {
      step();
      const fd = real.openSync(...args);
      power.paths.set(fd, String(args[0]));
      if (String(args[1]).includes('w')) power.unlisted.add(String(args[0]));
      return fd;
    },
    writeFileSync: (...args: Parameters<typeof real.writeFileSync>) => {
      step();
      if (typeof args[0] === 'number') power.unflushed.add(power.paths.get(args[0])!);
      real.writeFileSync(...args);
    },
    fsyncSync: (fd: number) => {
      step();
      const path = power.paths.get(fd)!;
      power.unflushed.delete(path);
      for (const name of power.unlisted) if (dirname(name) === path) power.unlisted.delete(name);
    },
    closeSync: (fd: number) => {
      real.closeSync(fd);
      step();
    },
    linkSync: (from: string, to: string) => {
      step();
      real.linkSync(from, to);
      power.unlisted.add(to);
      if (power.unflushed.has(from)) power.unflushed.add(to);
    },
    renameSync: (...args: Parameters<typeof real.renameSync>) => {
      step();
      real.renameSync(...args);
    },
    rmSync: (...args: Parameters<typeof real.rmSync>) => {
      step();
      real.rmSync(...args);
    },
    mkdirSync: (...args: Parameters<typeof real.mkdirSync>) => {
      step();
      power.unlisted.add(String(args[0]));
      return real.mkdirSync(...args);
    },
    readFileSync: (...args: Parameters<typeof real.readFileSync>) => {
      step();
      return real.readFileSync(...args);
    },
    readdirSync: (...args: Parameters<typeof real.readdirSync>) => {
      step();
      return real.readdirSync(...args);
    },
  };
});

const folder = mkdtempSync(join(tmpdir(), 'hes-power-'));
const pki = createDevelopmentPki({
  directory: join(folder, 'pki'),
  tenants: [ORES, FARYS],
  nowMs: NOW_MS,
});
const root = rootFingerprint(pki.root.pem);
afterEach(restore);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function restore(): void {
  power.cutAt = Number.POSITIVE_INFINITY;
  power.operations = 0;
}

/** What the disk holds once the power is back. */
async function reboot(lostNames: boolean): Promise<void> {
  restore();
  const {
    truncateSync,
    rmSync: remove,
    existsSync,
  } = await vi.importActual<typeof import('node:fs')>('node:fs');
  for (const path of power.unflushed) if (existsSync(path)) truncateSync(path, 0);
  if (lostNames) for (const path of power.unlisted) remove(path, { force: true, recursive: true });
  power.unflushed.clear();
  power.unlisted.clear();
}

type World = ReturnType<typeof newWorld>;
let count = 0;
const newWorld = () => ({
  file: join(folder, `device-${++count}`, 'identity.json'),
  /** What has left the device, and what has left the operator: for good. */
  requests: [] as EnrolmentRequest[],
  answers: [] as string[],
});

const STEPS: Record<string, (world: World) => Promise<void> | void> = {
  'making keys and a request': async (world) => {
    const { pending } = await beginEnrolment(world.file, { home: ORES, guests: [FARYS], root: null });
    world.requests.push(pending.request);
  },
  answering: (world) => {
    const checked = checkEnrolmentRequest(world.requests[0]!);
    world.answers.push(documentText(answerEnrolment(pki, checked, { nowMs: NOW_MS }).answer));
  },
  'taking the answer': (world) => {
    acceptAnswer(world.file, world.answers[0]!, { root, atMs: NOW_MS, development: true });
  },
};

/** @returns whether the step took so many operations that the power was cut in it */
async function runUntil(cutAt: number, step: string, world: World): Promise<boolean> {
  power.cutAt = cutAt;
  power.operations = 0;
  const left: World = { file: world.file, requests: [...world.requests], answers: [...world.answers] };
  try {
    await STEPS[step]!(left);
  } catch (error) {
    expect(power.operations, String(error)).toBeGreaterThanOrEqual(cutAt);
  }
  // Whatever the code made of the failure: the process was dead, so nothing more has left it.
  if (power.operations >= cutAt) return true;
  Object.assign(world, left);
  return false;
}

describe('an enrolment', () => {
  for (const lostNames of [false, true])
    it.each(Object.keys(STEPS))(
      `whose power is cut anywhere while %s goes on to one device with one set of keys${lostNames ? ', whatever of the folder was not flushed' : ''}`,
      async (cutStep) => {
        let cuts = 0;
        for (let cutAt = 1; ; cutAt += 1) {
          const world = newWorld();
          let cut = false;
          for (const [step, run] of Object.entries(STEPS)) {
            if (step === cutStep) {
              cut = await runUntil(cutAt, step, world);
              await reboot(lostNames);
            }
            await run(world);
          }
          expect(new Set(world.requests.map(({ request }) => request)).size, `cut ${cutAt}`).toBe(1);
          // All of it once more changes nothing.
          for (const step of ['answering', 'taking the answer']) await STEPS[step]!(world);
          expect(new Set(world.answers).size, `cut ${cutAt}`).toBe(1);
          const identity = readDeviceIdentity(world.file);
          expect(JSON.parse(world.answers[0]!)).toMatchObject({ device: identity.device });
          expect(readdirSync(dirname(world.file)), `cut ${cutAt}`).toEqual([basename(world.file)]);
          if (!cut) break;
          cuts += 1;
        }
        expect(cuts).toBeGreaterThanOrEqual(8);
      },
    );
});
