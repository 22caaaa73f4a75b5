import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ask } from '../../gateway/desk/testing/office-world.ts';
import { officeLayout } from '../../pki/files/layout.ts';
import { openOfficeIdentity, readOfficeIdentity, readPassphrase } from '../../pki/office/identity.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { TestFolder } from '../support/chaos-folder.ts';
import { Hes } from '../support/chaos-hes.ts';
import { until } from '../support/processes.ts';

/** The desks of `hes up`: where they are found, what becomes of them when they are killed, and of another fleet's meters. */

const ORES = 'ores' as TenantId;
const STARTED_WITHIN_MS = 120_000;

const folder = new TestFolder();
const two = folder.twoTenants();
const data = folder.join('data');
const desks = join(data, 'desks.json');
const running: Hes[] = [];
afterEach(() => {
  for (const hes of running.splice(0)) hes.kill('SIGKILL', 'group');
});
afterAll(() => folder.remove());

async function up(seed: number): Promise<Hes> {
  const args = [
    'up',
    '--meters',
    '8',
    '--seed',
    String(seed),
    '--config',
    two,
    '--port',
    '0',
    '--data',
    data,
  ];
  const hes = new Hes(args);
  running.push(hes);
  await until(`the desks are there: ${hes.stderr}`, () => existsSync(desks), STARTED_WITHIN_MS);
  return hes;
}

const portOf = (tenant: TenantId): number =>
  Number(new URL((JSON.parse(readFileSync(desks, 'utf8')) as Record<string, string>)[tenant]!).port);

function supervisor() {
  const files = officeLayout(join(data, 'pki', 'office')).person(ORES, 'supervisor');
  return openOfficeIdentity(readOfficeIdentity(files.identity), readPassphrase(files.passphrase)).tls;
}

/** Undefined while the desk is away. */
async function meters(): Promise<readonly string[] | undefined> {
  try {
    const { json } = await ask(portOf(ORES), supervisor(), '/v1/meters');
    return (json.items as readonly { readonly device: string }[]).map(({ device }) => device);
  } catch {
    return undefined;
  }
}

describe('the desks of a run', () => {
  it('are found by their file, come back where they were when they are killed, and are gone at the end', async () => {
    const hes = await up(1);
    expect(Object.keys(JSON.parse(readFileSync(desks, 'utf8')))).toEqual(['ores', 'pidpa']);
    const before = await meters();
    expect(before?.length).toBeGreaterThan(0);
    const port = portOf(ORES);
    const killed = hes.tree().filter(({ kind }) => kind === 'desk');
    for (const { pid } of killed) process.kill(pid, 'SIGKILL');
    const pids = new Set(killed.map(({ pid }) => pid));
    await until('those that were killed are gone', () => !hes.tree().some(({ pid }) => pids.has(pid)));
    await until('it is back', async () => (await meters()) !== undefined, STARTED_WITHIN_MS);
    expect(portOf(ORES)).toBe(port);
    expect(await meters()).toEqual(before);
    hes.kill('SIGINT', 'group');
    expect(await hes.end()).toMatchObject({ code: 0 });
    expect(existsSync(desks)).toBe(false);

    // Another fleet in the same folder: nobody is offered meters that are not there.
    const other = await up(2);
    const after = await meters();
    expect(after?.length).toBeGreaterThan(0);
    expect(after!.filter((device) => before!.includes(device))).toEqual([]);
    other.kill('SIGINT', 'group');
    expect(await other.end()).toMatchObject({ code: 0 });
  }, 400_000);
});
