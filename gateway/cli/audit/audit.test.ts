import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditRow } from '../../desk/audit/row.ts';
import { type Ended, hes } from '../desk-client/testing/cli.ts';
import { type DeskAtWork, METER, ORES, startDeskAtWork } from '../desk-client/testing/desk.ts';
import { EXIT } from '../exit.ts';

let work: DeskAtWork;
let exported: string;
const at = (name: string): string => join(work.data, name);
const audit = (...words: string[]): Promise<Ended> =>
  hes('audit', ...words, '--data', work.data, '--as', 'ores/supervisor');

beforeAll(async () => {
  work = await startDeskAtWork();
  const as = ['--data', work.data, '--as', 'ores/operator'];
  for (let count = 0; count < 3; count += 1)
    await hes('op', 'read', METER, '--reason', `case ${count}`, ...as);
  await audit('export', '--out', at('audit.jsonl'));
  exported = readFileSync(at('audit.jsonl'), 'utf8');
});
afterAll(() => work.close());

/** The export with one row changed. */
function edited(change: (lines: string[]) => string[]): string {
  const file = at('edited.jsonl');
  writeFileSync(file, `${change(exported.trimEnd().split('\n')).join('\n')}\n`);
  return file;
}

describe('hes audit', () => {
  it('lists the last rows for people, with who and why', async () => {
    const { out } = await audit('list', '--limit', '2');
    const lines = out.trim().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[2]).toMatch(/accepted +operator \(operator\) .*read.now +case 2$/);
  });

  it('exports lines that verify off-line, without a desk or an identity', async () => {
    expect(exported.trimEnd().split('\n')).toHaveLength(4);
    const { exit, out } = await hes('audit', 'verify', at('audit.jsonl'));
    expect(exit).toBe(EXIT.ok);
    expect(out).toMatch(/^Whole: 4 rows of ores\..*\n4:[0-9a-f]{64}\n$/);
  });

  it('exports what came after a row', async () => {
    const { out } = await audit('export', '--after', '3');
    expect(JSON.parse(out)).toMatchObject({ n: 4, tenant: ORES });
  });

  it('does not write over an export that is there', async () => {
    expect(await audit('export', '--out', at('audit.jsonl'))).toMatchObject({ code: 'ERR_AUDIT_INPUT' });
  });

  it('exports syslog messages for a SIEM', async () => {
    const { out } = await audit('export', '--format', 'syslog', '--enterprise', '4711');
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(/^<110>1 \d{4}-.* hes-desk \d+ accepted \[hes@4711 tenant="ores" n="2" /);
  });

  it('verifies the database of a desk, while it runs', async () => {
    const { exit, out } = await hes('audit', 'verify', at('desk/ores.sqlite'), '--json');
    expect(exit).toBe(EXIT.ok);
    expect(JSON.parse(out)).toMatchObject({ whole: true, tenant: ORES, rows: 4, faults: [] });
  });

  it('verifies what the desk itself gives', async () => {
    expect(await audit('verify')).toMatchObject({ exit: EXIT.ok });
  });

  it('names the first row that was edited', async () => {
    const file = edited((lines) => lines.map((line) => line.replace('case 1', 'case 9')));
    const { exit, out } = await hes('audit', 'verify', file);
    expect(exit).toBe(EXIT.incomplete);
    expect(out).toMatch(/^NOT WHOLE\. The first broken row is 3: its content is not what was hashed\./);
  });

  it('names a row that was taken out', async () => {
    const { exit, out } = await hes(
      'audit',
      'verify',
      edited((lines) => lines.toSpliced(1, 1)),
    );
    expect({ exit, first: out.split('\n')[0] }).toEqual({
      exit: EXIT.incomplete,
      first: 'NOT WHOLE. The first broken row is 2: it is missing.',
    });
  });

  it('sees against a head that was kept elsewhere that the last rows are gone', async () => {
    const last = JSON.parse(exported.trimEnd().split('\n').at(-1)!) as AuditRow;
    const short = edited((lines) => lines.slice(0, -1));
    expect(await hes('audit', 'verify', short)).toMatchObject({ exit: EXIT.ok });
    const { exit, out } = await hes('audit', 'verify', short, '--head', `${last.n}:${last.hash}`);
    expect(exit).toBe(EXIT.incomplete);
    expect(out).toContain('row is 4: it was known, and the chain ends before it');
  });

  it('says which line is none of an export', async () => {
    const { exit, code, err } = await hes(
      'audit',
      'verify',
      edited((lines) => [lines[0]!, '{"n":2}']),
    );
    expect({ exit, code }).toEqual({ exit: EXIT.incomplete, code: 'ERR_DESK_AUDIT_LINE' });
    expect(err).toContain('line 2');
  });

  it('refuses a file that is not there, and a database that is no desk’s', async () => {
    expect(await hes('audit', 'verify', at('nowhere'))).toMatchObject({ code: 'ERR_AUDIT_INPUT' });
    writeFileSync(at('other.sqlite'), Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(500)]));
    expect(await hes('audit', 'verify', at('other.sqlite'))).toMatchObject({ code: 'ERR_AUDIT_INPUT' });
  });

  it('adds up how much the desk is used', async () => {
    const { out } = await audit('usage', '--by', 'month', '--json');
    expect(JSON.parse(out)).toContainEqual(
      expect.objectContaining({ event: 'accepted', type: 'read.now', role: 'operator', count: 3 }),
    );
  });

  it('is not for systems', async () => {
    expect(await hes('audit', 'list', '--data', work.data, '--as', 'ores/marco')).toMatchObject({
      exit: EXIT.noRight,
    });
  });
});
