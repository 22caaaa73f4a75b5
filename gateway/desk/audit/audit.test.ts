import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { SAMPLE_COMMAND_ID, SAMPLE_SECONDS } from '../../../protocol/testing/command-samples.ts';
import { SAMPLE_DEVICE } from '../../../protocol/testing/samples.ts';
import { EXAMPLE_ENTERPRISE, toJsonLine, toSyslog } from './export.ts';
import { fromJsonLine } from './parse.ts';
import { type AuditEntry, type AuditHead, type AuditRow, chained, genesis } from './row.ts';
import { oldestKeptAt, periodsAt } from './usage.ts';
import { verifyAudit } from './verify.ts';

const ORES = 'ores' as TenantId;
const SEED = 20_261_124;

const entry = (change: Partial<AuditEntry> = {}): AuditEntry => ({
  atMs: SAMPLE_SECONDS * 1_000,
  event: 'accepted',
  actor: { kind: 'person', name: 'ann', role: 'operator' },
  device: SAMPLE_DEVICE,
  command: SAMPLE_COMMAND_ID,
  type: 'p1.set',
  from: 'proposed',
  to: 'queued',
  code: null,
  reason: 'Crédit "bas" – 5 €',
  digest: '0'.repeat(64),
  ...change,
});

function chain(length: number, tenant = ORES): AuditRow[] {
  const rows: AuditRow[] = [];
  let head: AuditHead = genesis(tenant);
  for (let index = 0; index < length; index++) {
    const row = chained(tenant, head, entry({ atMs: SAMPLE_SECONDS * 1_000 + index }));
    rows.push(row);
    head = row;
  }
  return rows;
}
const rows = chain(12);
const head: AuditHead = { n: 12, hash: rows[11]!.hash };
const faultsOf = (changed: readonly AuditRow[], known: readonly AuditHead[] = [head]) =>
  verifyAudit(changed, { tenant: ORES, known }).faults;

describe('a chain of audit rows', () => {
  it('that is as it was written is whole', () => {
    expect(verifyAudit(rows, { tenant: ORES, known: [head] })).toEqual({ head, faults: [] });
    expect(verifyAudit([], { tenant: ORES })).toEqual({ head: genesis(ORES), faults: [] });
  });

  it('shows an edited row, whichever member was edited', () => {
    const edits: readonly Partial<AuditRow>[] = [
      { atMs: 0 },
      { event: 'cancelled' },
      { actor: { kind: 'person', name: 'bea', role: 'operator' } },
      { actor: { kind: 'system', name: 'ann', role: 'operator' } },
      { actor: { kind: 'person', name: 'ann', role: 'approver' } },
      { device: null },
      { command: null },
      { type: 'read.now' },
      { from: 'queued' },
      { to: 'executed' },
      { code: 'busy' },
      { reason: null },
      { digest: '1'.repeat(64) },
    ];
    for (const edit of edits)
      expect(faultsOf(rows.with(4, { ...rows[4]!, ...edit }))).toEqual([{ n: 5, fault: 'edited' }]);
  });

  it('shows a row that was edited and hashed anew by the row behind it', () => {
    const edited = chained(ORES, rows[3]!, entry({ reason: 'another' }));
    expect(faultsOf(rows.with(4, edited))).toEqual([{ n: 6, fault: 'link' }]);
  });

  it('shows rows that were taken out, exchanged or repeated', () => {
    expect(faultsOf(rows.toSpliced(4, 2))).toEqual([
      { n: 5, fault: 'removed' },
      { n: 6, fault: 'removed' },
    ]);
    expect(faultsOf([...rows.slice(0, 4), rows[5]!, rows[4]!, ...rows.slice(6)])).toEqual([
      { n: 5, fault: 'removed' },
      { n: 5, fault: 'order' },
    ]);
    expect(faultsOf(rows.toSpliced(4, 0, rows[4]!))).toEqual([{ n: 5, fault: 'order' }]);
  });

  it('shows by a head that was kept elsewhere that its end is missing, or that all of it was written anew', () => {
    expect(faultsOf(rows.slice(0, 10))).toEqual([{ n: 12, fault: 'truncated' }]);
    expect(faultsOf(rows.slice(0, 10), [])).toEqual([]);
    const forged = [chained(ORES, genesis(ORES), entry({ reason: 'another' }))];
    for (const row of chain(13).slice(1)) forged.push(chained(ORES, forged.at(-1)!, row));
    expect(faultsOf(forged, [])).toEqual([]);
    expect(faultsOf(forged)).toEqual([{ n: 12, fault: 'head' }]);
  });

  it('is no other tenant’s', () => {
    const faults = faultsOf(chain(2, 'resa' as TenantId), []);
    expect(faults).toContainEqual({ n: 1, fault: 'tenant' });
    expect(faults).toContainEqual({ n: 1, fault: 'link' });
  });

  it('shows whatever is done to one row, and names it or the one behind it', () => {
    const change = fc.constantFrom<(list: AuditRow[], at: number) => AuditRow[]>(
      (list, at) => list.toSpliced(at, 1),
      (list, at) => list.with(at, { ...list[at]!, atMs: list[at]!.atMs + 1 }),
      (list, at) => list.with(at, { ...list[at]!, hash: 'a'.repeat(64) }),
      (list, at) => list.with(at, { ...list[at]!, previous: 'b'.repeat(64) }),
      (list, at) => list.toSpliced(at, 0, list[at]!),
    );
    fc.assert(
      fc.property(change, fc.integer({ min: 0, max: 11 }), (edit, at) => {
        const [first] = faultsOf(edit([...rows], at));
        expect([at + 1, at + 2, 12]).toContain(first?.n);
      }),
      { seed: SEED, numRuns: 120 },
    );
  });
});

describe('an exported row', () => {
  it('comes back from its line as it was, and verifies', () => {
    const lines = rows.map(toJsonLine);
    expect(lines.map(fromJsonLine)).toEqual(rows);
    expect(lines.every((line) => !line.includes('\n'))).toBe(true);
  });

  it('is refused where a line was cut, edited in form or given another time beside the hashed one', () => {
    const line = toJsonLine(rows[0]!);
    for (const bad of [
      line.slice(0, -1),
      '[]',
      line.replace('"n":1', '"n":"1"'),
      line.replace('"event":"accepted"', '"event":"toString"'),
      line.replace('2026-12-01T08:00:00', '2026-12-01T09:00:00'),
      line.replace('{', '{"extra":1,'),
      `{"reason":"${'x'.repeat(9_000)}"}`,
    ])
      expect(() => fromJsonLine(bad)).toThrow(
        expect.toSatisfy((error: unknown) => isHesError(error, 'ERR_DESK_AUDIT_LINE')),
      );
  });

  it('is a message of RFC 5424 without the free text', () => {
    const actor = { kind: 'person', name: 'a"n\\n\n]', role: 'operator' } as const;
    const row = chained(ORES, genesis(ORES), entry({ event: 'denied', code: 'ERR_DESK_ROLE', actor }));
    const text = toSyslog(row, { hostname: 'desk ores.example', processId: 42 });
    expect(text).toBe(
      `<108>1 2026-12-01T08:00:00.000Z deskores.example hes-desk 42 denied [hes@${EXAMPLE_ENTERPRISE} tenant="ores" n="1" actor="person" name="a\\"n\\\\n \\]" role="operator" device="${SAMPLE_DEVICE}" command="${SAMPLE_COMMAND_ID}" type="p1.set" from="proposed" to="queued" code="ERR_DESK_ROLE" digest="${'0'.repeat(64)}" hash="${row.hash}"] p1.set denied`,
    );
  });

  it('has an event that fits a message id', () => {
    expect(toSyslog(rows[0]!, { hostname: '', processId: 1 })).toMatch(
      /^<110>1 \S+ - hes-desk 1 accepted \[/,
    );
  });
});

describe('usage', () => {
  const at = (text: string): number => Date.parse(text) / 1_000;

  it('is counted in local days, ISO weeks and months', () => {
    expect(periodsAt(at('2026-12-31T23:30:00Z'))).toEqual({
      day: '2027-01-01',
      week: '2026-W53',
      month: '2027-01',
    });
    expect(periodsAt(at('2027-01-04T00:00:00Z')).week).toBe('2027-W01');
  });

  it('is kept for 31 days, 20 weeks and 20 months, the running ones with them', () => {
    expect(oldestKeptAt(at('2026-12-31T12:00:00Z'))).toEqual({
      day: '2026-12-01',
      week: '2026-W34',
      month: '2025-05',
    });
  });
});
