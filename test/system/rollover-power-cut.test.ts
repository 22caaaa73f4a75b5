import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { openPki, tenantAuthorities } from '../../pki/ca/open.ts';
import { createDevelopmentPki, issueDevice } from '../../pki/development/development.ts';
import { pkiLayout } from '../../pki/files/layout.ts';
import type { RolloverKind } from '../../pki/rollover/plan.ts';
import {
  finishRollover,
  type RolloverContext,
  recoverRollover,
  startRollover,
  switchRollover,
  tendRollover,
} from '../../pki/rollover/rollover.ts';
import { applyNotice, createTlsTrust } from '../../pki/trust.ts';
import type { TenantId } from '../../protocol/identity.ts';

/**
 * The power is cut before each change of a file in turn: it and everything after it never happen, and what was written
 * and not flushed is gone. Then somebody asks again, or `hes ca` looks at what is due. (What the register commits is on
 * the disk: that is SQLite's own promise.)
 */
const power = vi.hoisted(() => ({
  changes: 0,
  /** The number of the change before which the power is cut. */
  cutAt: Number.POSITIVE_INFINITY,
  paths: new Map<number, string>(),
  unflushed: new Set<string>(),
}));

class PowerCut extends Error {}

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const step = (): void => {
    power.changes += 1;
    if (power.changes >= power.cutAt) throw new PowerCut();
  };
  const isWrite = (flags: unknown): boolean => /[wa+]/.test(String(flags));
  return {
    ...real,
    openSync: (...args: Parameters<typeof real.openSync>) => {
      if (isWrite(args[1])) step();
      const fd = real.openSync(...args);
      power.paths.set(fd, String(args[0]));
      return fd;
    },
    writeFileSync: (...args: Parameters<typeof real.writeFileSync>) => {
      step();
      const path = typeof args[0] === 'number' ? power.paths.get(args[0])! : String(args[0]);
      power.unflushed.add(path);
      real.writeFileSync(...args);
    },
    writeSync: (fd: number, bytes: Uint8Array) => {
      step();
      power.unflushed.add(power.paths.get(fd)!);
      return real.writeSync(fd, bytes);
    },
    fsyncSync: (fd: number) => {
      step();
      power.unflushed.delete(power.paths.get(fd)!);
    },
    linkSync: (from: string, to: string) => {
      step();
      real.linkSync(from, to);
      if (power.unflushed.has(from)) power.unflushed.add(to);
    },
    renameSync: (from: string, to: string) => {
      step();
      real.renameSync(from, to);
      power.unflushed.delete(to);
      if (power.unflushed.delete(from)) power.unflushed.add(to);
    },
    rmSync: (...args: Parameters<typeof real.rmSync>) => {
      step();
      real.rmSync(...args);
      power.unflushed.delete(String(args[0]));
    },
    mkdirSync: (...args: Parameters<typeof real.mkdirSync>) => {
      step();
      return real.mkdirSync(...args);
    },
  };
});

const DAY_MS = 86_400_000;
const ORES = 'ores' as TenantId;
const START_MS = Date.now();
const LATER_MS = START_MS + 2 * DAY_MS;
const home = mkdtempSync(join(tmpdir(), 'hes-rollover-cut-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const fresh = createDevelopmentPki({ directory: join(home, 'fresh'), tenants: [ORES], nowMs: START_MS });
const device = issueDevice(fresh, { home: ORES, nowMs: START_MS });

const contextOf = (directory: string, nowMs: number): RolloverContext => ({
  open: () => openPki({ directory, nowMs }),
  tenant: ORES,
  clock: { nowMs: () => nowMs },
  by: 'test',
});

/** Run with the power cut before that change; afterwards what was not flushed is lost. @returns whether it was cut */
function cutting(changeAt: number, work: () => void): boolean {
  power.changes = 0;
  power.unflushed.clear();
  power.cutAt = changeAt;
  let wasCut = false;
  try {
    work();
  } catch (error) {
    if (!isCut(error)) throw error;
    wasCut = true;
  } finally {
    power.cutAt = Number.POSITIVE_INFINITY;
  }
  if (wasCut) for (const path of power.unflushed) if (existsSync(path)) truncateSync(path);
  return wasCut;
}

function isCut(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof PowerCut) return true;
  return false;
}

/** What has to be true at every moment: the PKI opens, every key fits, and a device finds the key that it seals to. */
function checkStanding(directory: string, nowMs: number): void {
  const pki = openPki({ directory, nowMs });
  const { layout } = pki;
  const authorities = tenantAuthorities(pki, ORES, { nowMs: () => nowMs });
  authorities.register.close();
  const keys = readdirSync(layout.sealingDirectory(ORES)).filter((name) => name.endsWith('.key'));
  expect(keys).toContain(`${pki.owners.get(ORES)!.kid}.key`);
  createTlsTrust({
    root: pki.root.pem,
    issuers: [{ tenant: ORES, certificate: readFileSync(layout.issuing(ORES).certificate, 'utf8') }],
    crls: [readFileSync(layout.crl(ORES), 'utf8')],
    development: true,
  });
  if (!existsSync(layout.notice(ORES))) return;
  const told = applyNotice(device, readFileSync(layout.notice(ORES)), {
    tenant: ORES,
    atMs: nowMs,
    development: true,
  });
  expect(keys).toContain(`${told.owners[ORES]!.kid}.key`);
}

/** Every so many cuts the whole roll-over is brought to its end after it; after the others the step alone is. */
const TO_THE_END_EVERY = 8;

const STEPS: Readonly<
  Record<'start' | 'switch' | 'finish', (directory: string, kind: RolloverKind) => void>
> = {
  start: (directory, kind) => {
    const plan = { kind, keep: (pem: string) => pem, leadMs: DAY_MS, overlapMs: 0 };
    startRollover(contextOf(directory, START_MS), plan);
  },
  switch: (directory) => void switchRollover(contextOf(directory, START_MS + DAY_MS)),
  finish: (directory) => void finishRollover(contextOf(directory, LATER_MS)),
};

/** The office's CA goes the way of the field's, at other places. */
const CASES: readonly (readonly [RolloverKind, keyof typeof STEPS])[] = [
  ['sealing', 'start'],
  ['sealing', 'switch'],
  ['sealing', 'finish'],
  ['field', 'start'],
  ['field', 'switch'],
  ['field', 'finish'],
  ['office', 'switch'],
];

/** Nothing of the former, nothing half made, and one key. */
function checkEnd(directory: string, kind: RolloverKind): void {
  const layout = pkiLayout(directory);
  const { next, former } = layout;
  const places = [former(ORES), next(ORES), layout.office.former(ORES), layout.office.next(ORES)];
  for (const place of places) expect(existsSync(place.key)).toBe(false);
  const keys = readdirSync(layout.sealingDirectory(ORES)).filter((name) => !name.includes('.new-'));
  expect(keys).toHaveLength(2);
  if (kind !== 'office') expect(keys.join()).not.toContain(fresh.owners.get(ORES)!.kid);
  expect(existsSync(layout.rollover(ORES))).toBe(false);
}

describe('a power cut at any change of a file in a roll-over', () => {
  it.each(CASES)(
    'of %s at its %s is gone on with by whoever looks next',
    (kind, step) => {
      const before = join(home, `${kind}-${step}`);
      cpSync(join(home, 'fresh'), before, { recursive: true });
      if (step !== 'start') STEPS.start(before, kind);
      if (step === 'finish') STEPS.switch(before, kind);
      let wasCut = true;
      let cuts = 0;
      for (let at = 1; wasCut; at++) {
        const directory = join(home, `${kind}-${step}-${at}`);
        cpSync(before, directory, { recursive: true });
        wasCut = cutting(at, () => STEPS[step](directory, kind));
        if (wasCut) cuts += 1;
        const nowMs = step === 'finish' ? LATER_MS : START_MS + DAY_MS - 1;
        checkStanding(directory, nowMs);
        const phase = recoverRollover(contextOf(directory, nowMs))?.phase;
        if (step === 'start') expect([undefined, 'placed']).toContain(phase);
        else if (step === 'switch') expect(['placed', 'switched']).toContain(phase);
        else expect([undefined, 'switched']).toContain(phase);
        checkStanding(directory, nowMs);
        if (at % TO_THE_END_EVERY === 0 || !wasCut) {
          // Cut before the plan was on the disk: nothing began.
          if (step === 'start' && phase === undefined) STEPS.start(directory, kind);
          tendRollover(contextOf(directory, LATER_MS));
          tendRollover(contextOf(directory, LATER_MS));
          checkStanding(directory, LATER_MS);
          checkEnd(directory, kind);
        }
        rmSync(directory, { recursive: true });
      }
      expect(cuts).toBeGreaterThan(10);
    },
    120_000,
  );
});
