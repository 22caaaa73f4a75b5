import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { CSV_BYTES_MAX, csvField, csvLine, parseCsv } from './csv.ts';
import { readLines, type Wanted } from './lines.ts';
import { FAULTS_SHOWN_MAX, faultsText } from './render.ts';

const SEED = Number(process.env['HES_TEST_SEED'] ?? 20_261_124);
const parse = (text: string) => parseCsv(Buffer.from(text));
const codeOf = (bytes: Uint8Array): string => {
  try {
    parseCsv(bytes);
    return 'none';
  } catch (error) {
    return isHesError(error) ? error.code : String(error);
  }
};

describe('a CSV', () => {
  it.each([
    ['empty', Buffer.from('')],
    ['only of a byte order mark', Buffer.from('\uFEFF')],
    ['of another encoding', Buffer.from('device,text\nx,Cr\xe9dit\n', 'latin1')],
    ['larger than any campaign', Buffer.alloc(CSV_BYTES_MAX + 1, 0x61)],
  ])('that is %s cannot be read', (_, bytes) => {
    expect(codeOf(bytes)).toBe('ERR_CAMPAIGN_CSV');
  });

  it.each([
    ['a field too few', 'a,b\n1\n', 2],
    ['a field too many', 'a,b\n1,2,3\n', 2],
    ['an open quote', 'a,b\n1,2\n"3,4\n5,6\n', 3],
    ['characters behind a quote', 'a,b\n"1"x,2\n', 2],
    ['a quote in the middle', 'a,b\n1,2\n3,4"5\n', 3],
    ['a field that does not end', `a,b\n1,${'x'.repeat(1_025)}\n`, 2],
  ])('names the line of %s', (_, text, line) => {
    expect(parse(text).faults.map((fault) => fault.line)).toEqual([line]);
  });

  it('takes semicolons, CRLF, a byte order mark, quotes over lines, and lines with nothing on them', () => {
    const csv = parse('\uFEFFDevice;Text\r\n1;"a;b"\r\n\r\n2;"say ""no""\r\nnow"\r\n3;\r\n\n');
    expect(csv.delimiter).toBe(';');
    expect(csv.header).toEqual(['device', 'text']);
    expect(csv.faults).toEqual([]);
    expect(csv.records).toEqual([
      { line: 2, fields: ['1', 'a;b'] },
      { line: 4, fields: ['2', 'say "no"\r\nnow'] },
      { line: 6, fields: ['3', ''] },
    ]);
  });

  it(`reads what it writes (seed ${SEED})`, () => {
    const field = fc.string({ maxLength: 20 }).filter((text) => !/^[=+\-@\t\r]/.test(text));
    fc.assert(
      fc.property(fc.array(fc.tuple(field, field), { maxLength: 10 }), (rows) => {
        const kept = rows.filter(([a, b]) => (a + b).trim() !== '' && !a.includes('\uFEFF'));
        const csv = parse(`a,b\n${kept.map(csvLine).join('')}`);
        expect(csv.faults).toEqual([]);
        expect(csv.records.map(({ fields }) => fields)).toEqual(kept);
      }),
      { seed: SEED },
    );
  });

  it('is never a formula to a spreadsheet', () => {
    expect(csvField('=HYPERLINK("x")')).toBe(`"'=HYPERLINK(""x"")"`);
    expect(csvField(-5)).toBe('-5');
  });
});

const wanted: Wanted = {
  type: 'tariff.set',
  tenant: 'ores' as TenantId,
  texts: {},
  reason: null,
  notBefore: 1_796_112_000,
  expiry: 1_796_112_000 + 86_400,
  nowMs: 1_796_112_000_000,
};
const A = '00000000000000a1';
const B = '00000000000000b2';
const lines = (text: string, change: Partial<Wanted> = {}) =>
  readLines(parse(text), { ...wanted, ...change });
const said = (text: string, change: Partial<Wanted> = {}) =>
  lines(text, change).faults.map(({ line, column }) => [line, column]);

describe('the lines of a campaign', () => {
  it('name every bad one with its column, whatever is wrong with the others', () => {
    const text = [
      'device,plan,from,reason',
      `${A},bi,2027-01-01,`,
      `541448820000000009,bi,2027-01-01,`,
      `${B},tri,2027-01-01,`,
      `00000000000000c3,bi,01/01/2027,`,
      `00000000000000d4,bi,2027-01-01,${'x'.repeat(121)}`,
      `${A},bi,2027-01-01,`,
      `x,tri,never,`,
    ].join('\n');
    expect(said(text)).toEqual([
      [3, 'device'],
      [4, 'plan'],
      [5, 'from'],
      [6, 'reason'],
      [7, 'device'],
      [8, 'device'],
      [8, 'plan'],
      [8, 'from'],
    ]);
  });

  it('never say what was in a wrong place', () => {
    const text = `device,plan,from\n541448820000000009,541448820000000009,541448820000000009\n`;
    expect(JSON.stringify(lines(text).faults)).not.toContain('541448820000000009');
    expect(JSON.stringify(lines('541448820000000009,1SAG1105075799\nx,y\n').faults)).not.toMatch(
      /541448820000000009|1SAG/i,
    );
  });

  it('fail as a whole where a column is unknown, missing or there twice', () => {
    expect(said(`device,plan,from,tarif\n${A},bi,2027-01-01,x\n`)).toEqual([[1, 'number 4']]);
    expect(said(`device,from,from\n${A},2027-01-01,2027-01-01\n`)).toEqual([
      [1, 'from'],
      [1, 'plan'],
    ]);
    expect(said(`plan,from\nbi,2027-01-01\n`)).toEqual([[1, 'device']]);
    expect(said('device,plan,from\n')).toEqual([[1, null]]);
  });

  it('need a reason each where the type is critical, unless all have one', () => {
    const text = `device,reason\n${A},case 1\n${B},\n`;
    expect(said(text, { type: 'airplane.on' })).toEqual([[3, 'reason']]);
    expect(said(text, { type: 'airplane.on', reason: 'all alike' })).toEqual([]);
  });

  it('are of one type', () => {
    expect(
      said(`device,type\n${A},airplane.on\n${B},p1.set\n`, { type: 'airplane.on', reason: 'x' }),
    ).toEqual([[3, 'type']]);
  });

  it('take what all have in common from the command line, and the windows of the region by themselves', () => {
    const { drafts, faults } = lines(`device,plan\n${A},bi\n${B},mono\n`, { texts: { from: '2026-01-01' } });
    expect(faults).toEqual([]);
    expect(drafts.map(({ body }) => body.arguments)).toEqual([
      {
        plan: 'bi',
        from: '2026-01-01',
        windows: [
          { days: 255, startMinute: 420, endMinute: 660, rate: 1 },
          { days: 255, startMinute: 1_020, endMinute: 1_320, rate: 1 },
        ],
      },
      { plan: 'mono', from: '2026-01-01', windows: [] },
    ]);
  });

  it('of twenty thousand that are all wrong are told within a screen, and counted', () => {
    const text = `device,plan,from\n${'x,bi,2027-01-01\n'.repeat(20_000)}`;
    const { faults } = lines(text);
    expect(faults).toHaveLength(20_000);
    const told = faultsText('park.csv', faults).trimEnd().split('\n');
    expect(told).toHaveLength(FAULTS_SHOWN_MAX + 1);
    expect(told[0]).toMatch(/^park\.csv:2: device /);
    expect(told.at(-1)).toBe('… and 19,950 more');
  });
});
