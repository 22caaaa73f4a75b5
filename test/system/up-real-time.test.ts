import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../../gateway/cli/up/ports.ts';
import { dayAt, offsetMinutesAt } from '../../gateway/edge/days/calendar.ts';
import { encodeTelegram } from '../../meter-emulator/p1/encode.ts';
import { stateOf } from '../../meter-emulator/p1/example.ts';
import { TestFolder } from '../support/chaos-folder.ts';
import { Hes, runHes } from '../support/chaos-hes.ts';
import { until } from '../support/processes.ts';
import { readRecords } from '../support/records.ts';

/**
 * A physical meter joins the head-end of `hes up --real-time`, by the commands that README shows: the device makes its
 * keys, the development PKI answers, the edge reads a telegram and delivers the day.
 */
const folder = new TestFolder();
const records = folder.join('records.jsonl');
const IMPORT_WH = [31_415_926, 27_182_818] as const;
let up: Hes;

beforeAll(async () => {
  const [port] = await freePorts(1);
  up = new Hes([
    ...['up', '--real-time', '--meters', '2', '--config', folder.twoTenants()],
    ...['--port', String(port), '--data', folder.join('data'), '--mdm-out', records],
  ]);
  folder.write(
    'edge.yaml',
    `data: edge
development: true
headEnd: { host: localhost, port: ${port} }
devices:
  - identity: identity.json
    owners: [{ channel: 1, tenant: pidpa }]
    sources: [{ p1: { file: yesterday.txt } }]
`,
  );
  await until(
    `the PKI is made: ${up.stderr}`,
    () => existsSync(folder.join('data/pki/manifest.json')),
    60_000,
  );
}, 90_000);
afterAll(async () => {
  up.kill('SIGTERM', 'group');
  await up.end();
  folder.remove();
});

describe('hes up --real-time', () => {
  it('takes the day of a device that enrolled by hand, for both its owners', async () => {
    folder.write('yesterday.txt', lastTelegramOfYesterday(), 'latin1');
    const config = folder.join('edge.yaml');
    const request = folder.join('request.json');
    const answer = folder.join('answer.json');
    const enrol = ['edge', 'enrol', '--config', config, '--json'];
    await succeeds([...enrol, '--home', 'ores', '--guest', 'pidpa', '--out', request]);
    const issued = await succeeds([
      'pki',
      'enrol',
      request,
      '--data',
      folder.join('data'),
      '--out',
      answer,
      '--json',
    ]);
    const { rootFingerprint } = JSON.parse(issued) as { rootFingerprint: string };
    await succeeds([...enrol, '--answer', answer, '--root-fingerprint', rootFingerprint]);

    await succeeds(['edge', 'run', '--config', config]);

    const arrived = readRecords(records);
    expect(arrived.map(({ tenant }) => tenant).toSorted()).toEqual(['ores', 'pidpa']);
    const { text } = arrived.find(({ tenant }) => tenant === 'ores')!;
    for (const wattHours of IMPORT_WH) expect(text).toContain(`${wattHours / 1_000}`);
  }, 90_000);
});

/** What a meter with a water meter behind it said in the last second before midnight. */
function lastTelegramOfYesterday(): string {
  const at = dayAt(Math.floor(Date.now() / 1_000)).start - 1;
  const time = { epochSeconds: at, offsetMinutes: offsetMinutesAt(at) };
  const water = {
    channel: 1,
    deviceType: 7,
    serial: '8EMU0000000001',
    ean: null,
    valve: null,
    time,
    value: 1_234,
  } as const;
  return encodeTelegram('emucs-2.1.1', stateOf(1, { time, importWh: IMPORT_WH, devices: [water] }));
}

async function succeeds(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runHes(args);
  expect(code, `hes ${args.join(' ')}: ${stderr}`).toBe(0);
  return stdout;
}
