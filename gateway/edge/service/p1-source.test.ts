import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manualClock } from '../../runtime/clock.ts';
import { parseConfig } from '../../runtime/config.ts';
import { Counters } from '../../runtime/counters.ts';
import { silentLog } from '../../runtime/log.ts';
import { seededRandom } from '../../runtime/random.ts';
import { dayNamed } from '../days/calendar.ts';
import { sealed } from '../p1/example.ts';
import { AUTHENTICATION_KEY_LUXEMBOURG } from '../p1/glo-keys.ts';
import { sealGlo } from '../p1/glo-seal.ts';
import type { Snapshot } from '../source.ts';
import { SOURCE_TIMING } from '../sources/timing.ts';
import { edgeConfig } from './config.ts';
import type { EdgeSource } from './edge-source.ts';
import { MeteringTime } from './metering-time.ts';
import { openSource } from './sources.ts';

const NOW = Date.parse('2026-06-01T12:00:00Z');
const KEY = '11'.repeat(16);
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hes-p1-source-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

/** A telegram of a time as meters print it (`YYMMDDhhmmssX`). */
const telegram = (time: string, kWh: number): string =>
  sealed([
    '/TST5\\1',
    '',
    '1-3:0.2.8(50)',
    `0-0:1.0.0(${time})`,
    `1-0:1.8.1(${String(kWh).padStart(6, '0')}.000*kWh)`,
  ]);

interface Shown {
  readonly source: EdgeSource;
  readonly snapshots: Snapshot[];
  readonly values: number[];
  readonly counters: Counters;
}

/** All that a source shows until it ends. */
async function shown(p1: object): Promise<Shown> {
  const device = { identity: 'a', sources: [{ p1 }] };
  const config = parseConfig(edgeConfig, { data: folder, headEnd: { host: 'a' }, devices: [device] });
  const counters = new Counters();
  const source = await openSource(config.devices[0]!.sources[0]!, 'devices[0].sources[0]', {
    log: silentLog,
    counters,
    random: seededRandom('source'),
    timing: SOURCE_TIMING,
    time: new MeteringTime({ kind: 'real' }, manualClock(NOW)),
  });
  const snapshots: Snapshot[] = [];
  await source.run((one) => snapshots.push(one), new AbortController().signal);
  const values = snapshots.flatMap(({ meters }) => meters.map(({ registers }) => registers[0]!.value));
  return { source, snapshots, values, counters };
}

const at = (snapshots: readonly Snapshot[]) =>
  snapshots.map(({ at: { epochSeconds } }) => new Date(epochSeconds * 1_000).toISOString());

describe('a P1 source of the service', () => {
  it('says which source has a key that is none, without a word of the key', async () => {
    const key = file('key', `${KEY}zz`);
    const refused = shown({ file: file('a', ''), keys: { key } });
    await expect(refused).rejects.toMatchObject({
      code: 'ERR_CONFIG_SOURCE',
      message: expect.stringMatching(/^devices\[0\]\.sources\[0\]: (?!.*1111)/) as unknown,
    });
    await expect(shown({ file: 'a', keys: { key: join(folder, 'none') } })).rejects.toMatchObject({
      code: 'ERR_CONFIG_SOURCE',
    });
  });

  it('reads a recording by its own time, and ends its last day with it', async () => {
    const recording = telegram('260512100000S', 1) + telegram('260512110000S', 2);
    const { snapshots, values } = await shown({ file: file('a', recording) });
    expect(values).toEqual([1_000, 2_000]);
    expect(at(snapshots)).toEqual([
      '2026-05-12T08:00:00.000Z',
      '2026-05-12T09:00:00.000Z',
      new Date((dayNamed('2026-05-12').end + 3_601) * 1_000).toISOString(),
    ]);
    expect(snapshots.at(-1)!.meters).toEqual([]);
  });

  it('leaves the last day of a recording open while it is not over', async () => {
    const recording = telegram('260531100000S', 1) + telegram('260601100000S', 2);
    const { snapshots, source } = await shown({ file: file('a', recording) });
    expect(at(snapshots)).toEqual(['2026-05-31T08:00:00.000Z', '2026-06-01T08:00:00.000Z']);
    expect(source.isUnfinished()).toBe(true);
  });

  it('does not believe a time of a recording that is ahead of the clock', async () => {
    const recording = telegram('260512100000S', 1) + telegram('510101000000W', 2);
    const { snapshots } = await shown({ file: file('a', recording) });
    expect(at(snapshots).slice(0, 2)).toEqual(['2026-05-12T08:00:00.000Z', '2026-05-12T08:00:00.000Z']);
  });

  it('takes telegrams of a file to be of now where it is told so, and ends no day', async () => {
    const { snapshots } = await shown({
      file: file('a', telegram('260512100000S', 1)),
      time: 'arrival',
    });
    expect(at(snapshots)).toEqual(['2026-06-01T12:00:00.000Z']);
  });

  it('opens an encrypted recording with the keys of its files', async () => {
    const keys = {
      encryption: Buffer.from(KEY, 'hex'),
      authentication: AUTHENTICATION_KEY_LUXEMBOURG,
    };
    const text = Buffer.from(telegram('260512100000S', 7));
    const frame = sealGlo(text, { keys, title: Buffer.from('SAG00001'), counter: 1 });
    const key = file('key', `${KEY}\n`);
    expect((await shown({ file: file('a', frame), keys: { key } })).values).toEqual([7_000]);
    const blind = await shown({ file: file('b', frame) });
    expect(blind.values).toEqual([]);
    expect(blind.counters.get('p1.fault.encrypted')).toBe(1);
  });
});
