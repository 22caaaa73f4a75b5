import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDevelopmentPki } from '../../../pki/development/development.ts';
import { pkiLayout } from '../../../pki/files/layout.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { decodeClaimedNotice } from '../../../protocol/notice.ts';
import { hes, json } from '../desk-client/testing/cli.ts';
import { EXIT } from '../exit.ts';

const ORES = 'ores' as TenantId;
const data = mkdtempSync(join(tmpdir(), 'hes-rollover-cli-'));
const layout = pkiLayout(join(data, 'pki'));
const rollover = (...words: readonly string[]) =>
  hes('pki', 'rollover', ...words, '--data', data, '--tenant', 'ores');

beforeAll(() => {
  const tenants = [ORES, 'farys' as TenantId];
  createDevelopmentPki({ directory: layout.directory, tenants, nowMs: Date.now() });
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

describe('hes pki rollover', { timeout: 60_000 }, () => {
  it('says what it would do, and does nothing', async () => {
    const dry = await rollover('start', 'field', '--dry-run');
    expect(dry).toMatchObject({ exit: EXIT.ok });
    expect(dry.out).toContain('Nothing was changed');
    expect((await hes('pki', 'rollover', 'status', '--data', data)).out).toBe('No roll-over is under way.\n');
    expect(await rollover('finish')).toMatchObject({ exit: EXIT.noSuch, code: 'ERR_ROLLOVER_NONE' });
    expect(await rollover('switch')).toMatchObject({ exit: EXIT.noSuch, code: 'ERR_ROLLOVER_NONE' });
    expect(existsSync(layout.rollover(ORES))).toBe(false);
  });

  it('makes a new sealing key, has devices told, and destroys the old one at its date', async () => {
    const started = json<{ phase: string; sealingKey: { old: string; new: string } }>(
      await rollover('start', 'sealing', '--lead-hours', '0', '--overlap-days', '0', '--json'),
    );
    expect(started.phase).toBe('switched');
    expect(await rollover('start', 'office')).toMatchObject({
      exit: EXIT.conflict,
      code: 'ERR_ROLLOVER_UNDER_WAY',
    });
    const status = json<{ rollovers: unknown[] }>(
      await hes('pki', 'rollover', 'status', '--data', data, '--json'),
    );
    expect(status.rollovers).toHaveLength(1);
    expect((await rollover('status')).out).toContain(`${started.sealingKey.old} → ${started.sealingKey.new}`);
    expect((await rollover('finish', '--dry-run')).out).toContain('in use: 0');
    const finished = await rollover('finish');
    expect(finished.out).toContain('destroyed');
    expect(existsSync(layout.sealing(ORES, started.sealingKey.old).key)).toBe(false);
  });

  it('keeps the date of an overlap', async () => {
    // For development too, unless somebody says otherwise: devices have to hear of the new one first.
    const { finishAt } = json<{ finishAt: string }>(
      await rollover('start', 'office', '--lead-hours', '0', '--dry-run', '--json'),
    );
    expect(Date.parse(finishAt)).toBeGreaterThan(Date.now() + 60_000);
    await rollover('start', 'office', '--lead-hours', '0', '--overlap-days', '1');
    expect(await rollover('finish')).toMatchObject({ exit: EXIT.refused, code: 'ERR_ROLLOVER_EARLY' });
    expect((await rollover('status')).out).toContain('switched');
  });
});

describe('hes pki notice', { timeout: 60_000 }, () => {
  const revoked = (): number => decodeClaimedNotice(readFileSync(layout.notice(ORES))).revokedPeople.length;

  it('is written by a revocation of somebody, and stays as it is while nothing changes', async () => {
    const person = [
      'pki',
      'revoke',
      'operator',
      '--reason',
      'keyCompromise',
      '--tenant',
      'ores',
      '--data',
      data,
    ];
    expect((await hes(...person)).out).toContain('notice.cose');
    expect(revoked()).toBe(1);
    const again = json<{ published: { changed: boolean; revokedPeople: number }[] }>(
      await hes('pki', 'notice', '--tenant', 'ores', '--data', data, '--json'),
    );
    expect(again.published).toMatchObject([{ changed: false, revokedPeople: 1 }]);
    expect((await hes('pki', 'notice', '--data', data, '--dry-run')).out).toContain('would be new');
    expect(existsSync(layout.notice('farys' as TenantId))).toBe(false);
  });
});
