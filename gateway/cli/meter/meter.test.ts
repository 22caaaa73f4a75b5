import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeviceId } from '../../../protocol/identity.ts';
import { newMeter } from '../../desk/registry/meter.ts';
import { hes } from '../desk-client/testing/cli.ts';
import { type DeskAtWork, EAN, ORES, startDeskAtWork } from '../desk-client/testing/desk.ts';
import { EXIT } from '../exit.ts';

const SINCE = 1_790_000_000;
/** More than the two pages that a desk gives at once. */
const COUNT = 1_003;
const deviceOf = (number: number): DeviceId => number.toString(16).padStart(16, '0') as DeviceId;
let work: DeskAtWork;
let as: readonly string[];

beforeAll(async () => {
  const devices = Array.from({ length: COUNT - 2 }, (_, at) => deviceOf(at + 1));
  work = await startDeskAtWork(ORES, devices);
  as = ['--data', work.data, '--as', 'ores/supervisor'];
  const silent = newMeter({ device: deviceOf(5_000), home: ORES, medium: 'electricity' });
  const gas = newMeter({ device: deviceOf(5_001), home: ORES, medium: 'gas' });
  await work.desk.register({ ...gas, eans: { 0: EAN } }, 'desk');
  await work.store.transaction(async (transaction) => {
    await transaction.putMeter({ ...silent, airplaneSince: SINCE });
    await transaction.putMeter({ ...gas, creditMode: 'prepaid' });
  });
});
afterAll(() => work.close());

describe('hes meter', () => {
  it('lists all, page after page, as objects', async () => {
    const { exit, out } = await hes('meter', 'list', '--json', ...as);
    const meters = JSON.parse(out) as readonly Readonly<Record<string, unknown>>[];
    expect({ exit, count: meters.length }).toEqual({ exit: EXIT.ok, count: COUNT });
    expect(new Set(meters.map(({ device }) => device)).size).toBe(COUNT);
    expect(meters[0]).toMatchObject({
      device: deviceOf(1),
      medium: 'electricity',
      tariffPlan: 'mono',
      creditMode: 'credit',
      breaker: 'closed',
      airplane: false,
    });
  });

  it('lists no more than was asked for', async () => {
    const { out } = await hes('meter', 'list', '--limit', '501', '--json', ...as);
    expect(JSON.parse(out)).toHaveLength(501);
  });

  it('lists those in airplane mode with since when, for people', async () => {
    const { out } = await hes('meter', 'list', '--airplane', ...as);
    const lines = out.trim().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(/^0000000000001388 .*since 2026-09-2/);
  });

  it('lists those in prepayment', async () => {
    const { out } = await hes('meter', 'list', '--prepaid', '--json', ...as);
    expect(JSON.parse(out)).toMatchObject([
      { device: deviceOf(5_001), creditMode: 'prepaid', medium: 'gas' },
    ]);
  });

  it('is an empty array where there is none', async () => {
    const { out } = await hes('meter', 'list', '--prepaid', '--airplane', '--json', ...as);
    expect(JSON.parse(out)).toEqual([]);
  });

  it('shows one, and never its EAN', async () => {
    const { out } = await hes('meter', 'show', deviceOf(5_000), ...as);
    expect(out).toMatch(/sealed to +no key yet/);
    expect(out).toMatch(/airplane mode +since .*it ends only by a local action at the meter/);
    const { out: shown } = await hes('meter', 'show', deviceOf(5_001), '--json', ...as);
    expect(JSON.parse(shown)).toMatchObject({ medium: 'gas', channels: [{ channel: 0, owner: ORES }] });
    expect(shown).not.toContain(EAN);
  });

  it('says that there is no such meter', async () => {
    expect(await hes('meter', 'show', deviceOf(77_777), ...as)).toMatchObject({
      exit: EXIT.noSuch,
      code: 'ERR_DESK_METER',
    });
  });
});
