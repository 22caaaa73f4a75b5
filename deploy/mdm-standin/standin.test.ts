import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRecordWriter } from '../../gateway/router/record/write.ts';
import { householdIndex } from '../../gateway/router/testing/household.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { silentLog } from '../../gateway/runtime/log.ts';
import { seededRandom } from '../../gateway/runtime/random.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { mdmStandInConfig } from './config.ts';
import { startMdmStandIns } from './service.ts';
import { type MdmStandIn, type MdmStandInOptions, startMdmStandIn } from './standin.ts';

const ORES = 'ores' as TenantId;
const FARYS = 'farys' as TenantId;
const DEVICE = '0123456789abcdef' as DeviceId;

const write = createRecordWriter();
const record = (sequence: number, tenant = ORES) =>
  JSON.parse(write(householdIndex(tenant, DEVICE, sequence, seededRandom(1)), []).toString()) as {
    Header: Record<string, unknown>;
  };

/** What a command read. */
const demanded = (sequence: number, id = 'a') => {
  const index = householdIndex(ORES, DEVICE, sequence, seededRandom(1));
  const meters = index.meters.map((meter) => ({ ...meter, profiles: [], peaks: [], extremes: [] }));
  return JSON.parse(write({ ...index, meters }, [], id.repeat(32) as CommandId).toString()) as {
    Header: Record<string, unknown>;
  };
};

describe('the simulated MDM', () => {
  let directory: string;
  const running: MdmStandIn[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hes-mdm-'));
  });
  afterEach(async () => {
    for (const mdm of running.splice(0)) await mdm.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  async function start(options: Partial<MdmStandInOptions> = {}): Promise<MdmStandIn> {
    const mdm = await startMdmStandIn({ tenant: ORES, port: 0, ...options });
    running.push(mdm);
    return mdm;
  }

  async function post({ url }: MdmStandIn, records: unknown): Promise<unknown> {
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(records) });
    return response.ok ? ((await response.json()) as { results: unknown }).results : response.status;
  }

  it('rejects a record of another tenant, and counts it as misrouted', async () => {
    const mdm = await start();
    expect(await post(mdm, [record(1, FARYS)])).toEqual([
      { id: `${DEVICE}/farys/1`, verdict: 'rejected', code: 'tenant' },
    ]);
    expect(mdm.counts()).toMatchObject({ misrouted: 1, rejected: { tenant: 1 }, accepted: 0 });
  });

  it('rejects a record that breaks the schema, and names it where it can be named', async () => {
    const mdm = await start();
    const broken = { ...record(1), extra: 1 };
    expect(await post(mdm, [broken, { nothing: true }, 7])).toEqual([
      { id: `${DEVICE}/ores/1`, verdict: 'rejected', code: 'schema' },
    ]);
    expect(mdm.counts().rejected).toMatchObject({ schema: 3 });
  });

  it('rejects a key that is not that of device, tenant and sequence', async () => {
    const mdm = await start();
    const other = record(1);
    other.Header['MessageID'] = `${DEVICE}/ores/2`;
    expect(await post(mdm, [other])).toMatchObject([{ verdict: 'rejected', code: 'key' }]);
  });

  it('takes a reading on demand by its command, and keeps what came first', async () => {
    const mdm = await start({ store: join(directory, 'keys'), mdmOut: join(directory, 'out.jsonl') });
    expect(await post(mdm, [demanded(7), record(7), demanded(8), demanded(9, 'b')])).toMatchObject([
      { id: `${DEVICE}/ores/read/${'a'.repeat(32)}`, verdict: 'accepted' },
      { id: `${DEVICE}/ores/7`, verdict: 'accepted' },
      { verdict: 'duplicate' },
      { verdict: 'accepted' },
    ]);
    // Only the file of records is left of a kill: the keys of both kinds are found in it.
    await running.pop()!.stop();
    rmSync(join(directory, 'keys'));
    const again = await start({ store: join(directory, 'keys'), mdmOut: join(directory, 'out.jsonl') });
    expect(await post(again, [demanded(7), record(7)])).toMatchObject([
      { verdict: 'duplicate' },
      { verdict: 'duplicate' },
    ]);
  });

  it('rejects a reading on demand under another key than its command’s, or that closes a day', async () => {
    const mdm = await start();
    const other = demanded(1);
    other.Header['Command'] = 'b'.repeat(32);
    const both = demanded(1);
    both.Header['Day'] = '2026-03-28';
    const none = demanded(1);
    delete none.Header['Command'];
    const numbered = demanded(1);
    numbered.Header['MessageID'] = `${DEVICE}/ores/1`;
    expect(await post(mdm, [other, both, none, numbered])).toMatchObject([
      { code: 'key' },
      { code: 'schema' },
      { code: 'schema' },
      { code: 'schema' },
    ]);
  });

  it('answers 400 to what is no list of records, and 405 to other methods', async () => {
    const mdm = await start();
    expect(await post(mdm, { records: [] })).toBe(400);
    expect((await fetch(mdm.url, { method: 'DELETE' })).status).toBe(405);
  });

  it('takes a record once, also within one request', async () => {
    const mdm = await start();
    expect(await post(mdm, [record(1), record(1)])).toMatchObject([
      { verdict: 'accepted' },
      { verdict: 'duplicate' },
    ]);
    expect(await post(mdm, [record(1)])).toMatchObject([{ verdict: 'duplicate' }]);
    expect(mdm.counts()).toMatchObject({ accepted: 1, duplicates: 2 });
  });

  it('asks for later when it can remember no more keys, rather than risk a double', async () => {
    const mdm = await start({ keysMax: 1 });
    expect(await post(mdm, [record(1), record(2), record(1)])).toMatchObject([
      { verdict: 'accepted' },
      { verdict: 'retry' },
      { verdict: 'duplicate' },
    ]);
  });

  it('remembers across a kill what it acknowledged, and drops a key that the kill cut short', async () => {
    const store = join(directory, 'keys');
    await post(await start({ store }), [record(1), record(2)]);
    appendFileSync(store, `${DEVICE}/ores/3`);
    const again = await start({ store });
    expect(await post(again, [record(1), record(2), record(3)])).toMatchObject([
      { verdict: 'duplicate' },
      { verdict: 'duplicate' },
      { verdict: 'accepted' },
    ]);
    expect(again.counts()).toMatchObject({ known: 3, accepted: 1 });
    expect(readFileSync(store, 'utf8')).toBe([1, 2, 3].map((n) => `${DEVICE}/ores/${n}\n`).join(''));
  });

  it('writes a record once although a kill came between the record and the memory of its key', async () => {
    const mdmOut = join(directory, 'out.jsonl');
    const killed = await startMdmStandIn({ tenant: ORES, port: 0, mdmOut });
    await post(killed, [record(1)]);
    await killed.stop();
    appendFileSync(mdmOut, '{"tenant":"ores","rec');
    const again = await start({ mdmOut, store: join(directory, 'keys') });
    expect(await post(again, [record(1), record(2)])).toMatchObject([
      { verdict: 'duplicate' },
      { verdict: 'accepted' },
    ]);
    expect(linesOf(mdmOut).map(({ record: { Header } }) => Header['Sequence'])).toEqual([1, 2]);
  });

  it('writes what it accepted, whole lines, also when several tenants share the file', async () => {
    const mdmOut = join(directory, 'out.jsonl');
    const ores = await start({ mdmOut });
    const farys = await start({ mdmOut, tenant: FARYS });
    await Promise.all(
      [1, 2, 3, 4].flatMap((n) => [post(ores, [record(n)]), post(farys, [record(n, FARYS)])]),
    );
    const lines = linesOf(mdmOut);
    expect(lines).toHaveLength(8);
    expect(lines.filter(({ tenant }) => tenant === 'farys')).toHaveLength(4);
    for (const line of lines)
      expect(line.record).toEqual(record(Number(line.record.Header['Sequence']), line.tenant));
  });

  it('acknowledges nothing more once it cannot keep what it takes', async () => {
    const mdm = await start({ store: '/dev/full' });
    expect(await post(mdm, [record(1)])).toBe(503);
    expect(await post(mdm, [record(1)])).toBe(503);
  });

  it('serves several operators from one process, and counts for each', async () => {
    const counters = new Counters();
    const config = mdmStandInConfig.parse({ tenants: [{ tenant: ORES }, { tenant: FARYS }] });
    const { urls, stop } = await startMdmStandIns({ config, log: silentLog, counters });
    await fetch(urls['farys']!, { method: 'POST', body: JSON.stringify([record(1, FARYS), record(1)]) });
    expect(counters.snapshot()).toMatchObject({
      'mdm.ores.accepted': 0,
      'mdm.farys.accepted': 1,
      'mdm.farys.known': 1,
      'mdm.farys.misrouted': 1,
    });
    await stop();
  });

  it('says what it is', async () => {
    const response = await fetch((await start()).url);
    expect(response.headers.get('server')).toContain('simulated');
    expect(await response.json()).toMatchObject({ simulated: true, tenant: 'ores' });
  });

  it('does not start on a port that is taken, nor with a file that it may not write', async () => {
    const { url } = await start();
    const port = Number(new URL(url).port);
    await expect(start({ port })).rejects.toMatchObject({ code: 'ERR_STANDIN_LISTEN' });
    await expect(start({ store: directory })).rejects.toMatchObject({ code: 'ERR_STANDIN_FILE' });
  });
});

function linesOf(file: string): { tenant: TenantId; record: { Header: Record<string, unknown> } }[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { tenant: TenantId; record: { Header: Record<string, unknown> } });
}
