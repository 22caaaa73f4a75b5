import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openPki, tenantAuthorities } from '../../../pki/ca/open.ts';
import { createDevelopmentPki } from '../../../pki/development/development.ts';
import { readText } from '../../../pki/files/files.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { thresholdOf } from '../../runtime/expiry.ts';
import { createLog } from '../../runtime/log.ts';
import { createLaggards, endingsOfCa } from './ca-endings.ts';

const DAY_MS = 86_400_000;
const ORES = 'ores' as TenantId;
const folder = mkdtempSync(join(tmpdir(), 'hes-ca-endings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('an issuing CA', () => {
  it('knows of itself what ends, and of its lists', () => {
    const directory = join(folder, 'pki');
    const nowMs = Date.now();
    createDevelopmentPki({ directory, tenants: [ORES], nowMs });
    const pki = openPki({ directory, nowMs });
    const { field, office, register } = tenantAuthorities(pki, ORES, { nowMs: () => nowMs });
    field.publishCrl('test');
    office.publishCrl('test');
    const endings = endingsOfCa({
      field,
      office,
      roots: { field: pki.root.certificate.der, office: pki.office?.root },
      server: readText(pki.layout.front.certificate),
      manufacturers: [],
    });
    register.close();
    expect(endings.map(({ kind, what }) => `${kind} ${what}`).sort()).toEqual([
      'certificate issuing.ores',
      'certificate office.issuing.ores',
      'certificate office.root',
      'certificate root',
      'certificate server',
      'list office.ores',
      'list ores',
    ]);
    const pressing = endings.filter((ending) => thresholdOf(ending, nowMs + 1_800 * DAY_MS) !== undefined);
    expect(pressing.map(({ what }) => what)).toEqual(['server']);
  });

  it('tells once a day of devices that were not renewed, and of nothing where all were', () => {
    const lines: string[] = [];
    const log = createLog({ name: 'test', destination: { write: (line: string) => void lines.push(line) } });
    const laggards = createLaggards(log);
    const counts = { over: 0, within7: 0, within30: 5, within90: 7 };
    for (let hour = 0; hour < 48; hour++) laggards(counts, hour * 3_600_000);
    expect(lines).toEqual([]);
    for (let hour = 0; hour < 48; hour++) laggards({ ...counts, over: 1, within7: 2 }, hour * 3_600_000);
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'warn', over: 1, within7: 2 });
  });
});
