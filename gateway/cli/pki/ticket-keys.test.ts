import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hes, json } from '../desk-client/testing/cli.ts';
import { EXIT } from '../exit.ts';

const folder = mkdtempSync(join(tmpdir(), 'hes-ticket-keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'ticket-keys');
const rotate = (...more: string[]) => hes('pki', 'ticket-keys', file, ...more);

describe('hes pki ticket-keys', () => {
  it('leaves a file that is none of ticket keys as it is', async () => {
    const other = join(folder, 'server.key');
    writeFileSync(other, 'somebody else’s');
    expect(await hes('pki', 'ticket-keys', other)).toMatchObject({ code: 'ERR_USAGE' });
    expect(readFileSync(other, 'utf8')).toBe('somebody else’s');
    expect((await hes('pki', 'ticket-keys', join(folder, 'none', 'keys'))).code).toMatch(/^ERR_/);
    rmSync(other);
  });

  it('makes 48 bytes that its owner alone reads, other ones each time, and leaves nothing beside them', async () => {
    const said = async (...more: string[]) => json(await rotate('--json', ...more));
    expect(await said('--dry-run')).toEqual({ file, rotated: false, dryRun: true });
    expect(readdirSync(folder)).toEqual([]);
    expect(await said()).toEqual({ file, rotated: false, dryRun: false });
    const first = readFileSync(file);
    expect([first.length, statSync(file).mode & 0o777]).toEqual([48, 0o600]);
    const again = await rotate();
    expect(again).toMatchObject({ exit: EXIT.ok });
    expect(again.out).toContain('other ticket keys');
    expect(readFileSync(file).equals(first)).toBe(false);
    expect(readdirSync(folder)).toEqual(['ticket-keys']);
  });
});
