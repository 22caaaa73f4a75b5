import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startMdmStandIn } from '../../deploy/mdm-standin/standin.ts';
import { encodeTelegram, type P1Dialect } from '../../meter-emulator/p1/encode.ts';
import { stateOf } from '../../meter-emulator/p1/example.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { TestFolder } from '../support/chaos-folder.ts';
import { HES_LINKED, type HesEnd, runHes } from '../support/chaos-hes.ts';
import { daysFrom, emulatedIndexes, INNOCENT, judge } from '../support/chaos-oracle.ts';
import { TENANTS } from '../support/field.ts';
import { readRecords } from '../support/records.ts';

const folder = new TestFolder();
const two = folder.twoTenants();
const TWO_TENANTS = ['ores', 'pidpa'] as TenantId[];
afterAll(() => folder.remove());

/** A bounded run with two operators. */
const once = (...args: readonly string[]): Promise<HesEnd> =>
  runHes(['up', '--once', '--config', two, '--port', '0', '--data', folder.join('data'), ...args]);

const recordsOf = (file: string) => Map.groupBy(readRecords(file), ({ tenant }) => tenant);

describe('hes up --once, as a user types it', () => {
  const report = folder.join('report.json');
  const records = folder.join('records.jsonl');
  let end: HesEnd;
  beforeAll(async () => {
    const args = 'up --once --meters 210 --days 2 --seed 7 --port 0'.split(' ');
    const files = ['--data', folder.join('seven'), '--report', report, '--mdm-out', records];
    end = await runHes([...args, ...files], { program: HES_LINKED });
  });

  it('ends with 0 and its table, without a progress bar or any other word in a pipe', () => {
    expect(end).toMatchObject({ code: 0, stderr: '' });
    expect(end.stdout).toMatch(/^operator +meters +expected +delivered +duplicates +refused\n/);
    expect(end.stdout).toMatch(/\ncomplete: lost 0, misrouted 0, [\d.]+ s\n$/);
    expect(end.stdout.trimEnd().split('\n')).toHaveLength(TENANTS.length + 2);
    expect(end.stdout).toMatch(/^[\x20-\x7e\n]*$/);
  });

  it('reports exactly what was promised', () => {
    const row = { meters: 30, expected: 60, delivered: 60, duplicates: 0, refused: 0 };
    const promised = {
      seed: 7,
      days: 2,
      tenants: Object.fromEntries(TENANTS.map((tenant) => [tenant, row])),
      lost: 0,
      misrouted: 0,
      durationMs: 0,
    };
    const text = readFileSync(report, 'utf8');
    expect(text.replace(/"durationMs":\d+/, '"durationMs":0')).toBe(`${JSON.stringify(promised)}\n`);
    expect((JSON.parse(text) as { durationMs: number }).durationMs).toBeGreaterThan(0);
  });

  it('has every index at its MDM once, with the registers and quarter-hours that its meter showed', () => {
    const expected = emulatedIndexes({ seed: 7, meters: 210 }, daysFrom('2026-03-28', 2));
    expect(expected.size).toBe(420);
    expect(judge(expected, recordsOf(records))).toEqual(INNOCENT);
  });

  it('writes a tenant and a record on each line of --mdm-out, and nothing else', () => {
    for (const line of readFileSync(records, 'utf8').trimEnd().split('\n')) {
      const value = JSON.parse(line) as { tenant: string; record: { Header: { Tenant: string } } };
      expect(Object.keys(value)).toEqual(['tenant', 'record']);
      expect(value.record.Header.Tenant).toBe(value.tenant);
    }
  });

  it('leaves keys, certificates, people and revocation lists in its data folder, and nothing else', () => {
    const files = folder.files('seven');
    expect(files.length).toBeGreaterThan(0);
    const foreseen =
      /^pki\/(?:manifest\.json|.+\.key|.+\.crt|.+\/crl\.pem|office\/[a-z]+\/people\/[a-z]+\.(?:json|passphrase))$/;
    expect(files.filter((name) => !foreseen.test(name))).toEqual([]);
  });
});

describe('a bounded run', () => {
  it('gives the same records again with the same seed and folder, and others with another seed', async () => {
    const lines = async (seed: string): Promise<string[]> => {
      const file = folder.join('same.jsonl');
      const end = await once('--meters', '12', '--seed', seed, '--mdm-out', file, '--json');
      expect(end).toMatchObject({ code: 0, stderr: '' });
      expect(JSON.parse(end.stdout)).toMatchObject({
        tenants: { ores: { delivered: 6, duplicates: 0 }, pidpa: { delivered: 6, duplicates: 0 } },
        lost: 0,
      });
      return readFileSync(file, 'utf8').trimEnd().split('\n').toSorted();
    };
    const first = await lines('3');
    expect(first).toHaveLength(12);
    expect(await lines('3')).toEqual(first);
    expect(await lines('4')).not.toEqual(first);
  });

  it('hands the records to an operator’s own MDM where the configuration names one', async () => {
    const own = await startMdmStandIn({
      tenant: 'ores' as TenantId,
      port: 0,
      mdmOut: folder.join('own.jsonl'),
    });
    try {
      const config = folder.write(
        'own.yaml',
        `tenants:\n  ores:\n    mdm: { url: "${own.url}" }\n  pidpa: {}\n`,
      );
      const file = folder.join('simulated.jsonl');
      const end = await once('--config', config, '--meters', '6', '--mdm-out', file, '--json');
      expect(end).toMatchObject({ code: 0, stderr: '' });
      expect(JSON.parse(end.stdout)).toMatchObject({ tenants: { ores: { delivered: 3 } }, lost: 0 });
      const run = { seed: 1, meters: 6, tenants: TWO_TENANTS };
      const accepted = new Map([
        ['ores' as TenantId, readRecords(folder.join('own.jsonl'))],
        ['pidpa' as TenantId, readRecords(file)],
      ]);
      expect(judge(emulatedIndexes(run, daysFrom('2026-03-28', 1)), accepted)).toEqual(INNOCENT);
    } finally {
      await own.stop();
    }
  });

  it('ends with 1 at its deadline, and says how much is missing', async () => {
    // Nobody answers at this address: every reading stays in its outbox.
    const config = folder.write(
      'nobody.yaml',
      'tenants:\n  ores:\n    mdm: { url: "http://127.0.0.1:9/" }\n  pidpa: {}\n',
    );
    const end = await once('--config', config, '--meters', '4', '--deadline', '8', '--json');
    expect(end.code).toBe(1);
    expect(JSON.parse(end.stdout)).toMatchObject({
      tenants: { ores: { expected: 2, delivered: 0 }, pidpa: { expected: 2, delivered: 2 } },
      lost: 2,
    });
  });
});

describe('recorded telegrams', () => {
  const DIALECTS = [
    'dsmr-4.2',
    'dsmr-5.0',
    'emucs-1.7.1',
    'emucs-2.1.1',
  ] as const satisfies readonly P1Dialect[];
  const telegrams = DIALECTS.map((dialect, at) => encodeTelegram(dialect, stateOf(11 + at)));
  /** The last four characters before the end are the CRC. */
  const damaged = telegrams[0]!.replace('1-0:1.8.1(0', '1-0:1.8.1(9');

  /** Counting registers as a telegram prints them. */
  const printed = (telegram: string): string[] =>
    [...telegram.matchAll(/^(\d-\d:(?:[12]\.8\.[12]|24\.2\.[13]))(?:\(\d+[SW]\))?\((\d+\.\d+)\*/gm)]
      .map(([, obis, value]) => `${obis} ${value!.replace(/^0+(?=\d)/, '')}`)
      .toSorted();

  interface Body {
    record: {
      Payload: {
        MeterReadings: {
          MeterReading: { Readings: { value: string; ReadingType: { obis: string } }[] }[];
        };
      };
    };
  }
  const arrived = (line: string): string[] =>
    (JSON.parse(line) as Body).record.Payload.MeterReadings.MeterReading.flatMap(({ Readings }) => Readings)
      .map(({ value, ReadingType }) => `${ReadingType.obis} ${value}`)
      .filter((text) => /^\d-\d:(?:[12]\.8\.[12]|24\.2\.[13]) /.test(text))
      .toSorted();

  beforeAll(() => {
    for (const [at, text] of telegrams.entries())
      folder.write(`recorded/${DIALECTS[at]}.txt`, text, 'latin1');
    folder.write('recorded/README.md', 'Four meters.\n');
  });

  it('arrive exactly as printed, at the tenant that was named; a README among them is skipped', async () => {
    const file = folder.join('recorded.jsonl');
    const end = await once(
      '--telegrams',
      folder.join('recorded'),
      '--tenant',
      'pidpa',
      '--mdm-out',
      file,
      '--json',
    );
    expect(end.code).toBe(0);
    expect(JSON.parse(end.stdout)).toMatchObject({
      tenants: { pidpa: { meters: 4, expected: 4, delivered: 4, duplicates: 0, refused: 0 } },
      lost: 0,
      misrouted: 0,
    });
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines.every((line) => line.startsWith('{"tenant":"pidpa",'))).toBe(true);
    const bySorting = (one: string[], other: string[]): number => (one.join() < other.join() ? -1 : 1);
    const expected = telegrams.map(printed).toSorted(bySorting);
    expect(expected.every((registers) => registers.length >= 5)).toBe(true);
    expect(lines.map(arrived).toSorted(bySorting)).toEqual(expected);
    expect(end.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(end.stderr).toContain('README.md: skipped');
  });

  it('that are damaged are refused by name and end the run with 1; the others arrive', async () => {
    folder.write('mixed/good.txt', telegrams[1]!, 'latin1');
    folder.write('mixed/damaged.txt', damaged, 'latin1');
    const end = await once('--telegrams', folder.join('mixed'), '--json');
    expect(end.code).toBe(1);
    expect(end.stderr).toContain('damaged.txt: refused');
    expect(JSON.parse(end.stdout)).toMatchObject({
      tenants: { ores: { meters: 1, expected: 1, delivered: 1, refused: 1 } },
      lost: 0,
    });
  });

  it('are no complete run where the only file is damaged', async () => {
    const end = await once('--telegrams', folder.write('damaged.txt', damaged, 'latin1'));
    expect(end.code).toBe(1);
    expect(end.stderr).toContain('damaged.txt: refused');
    expect(end.stdout).toContain('INCOMPLETE');
  });
});
