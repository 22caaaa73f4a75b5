import { describe, expect, it } from 'vitest';
import type { CommandBody } from '../../../protocol/command/command.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { METER_VIEW } from '../desk-client/views.ts';
import { barText, progressBar } from './progress.ts';
import { standingOf } from './standing.ts';

const ORES = 'ores' as TenantId;
const TODAY = '2026-11-24';
const meter = (change: object = {}) => ({
  ...METER_VIEW.parse({
    device: '00000000000000a1',
    medium: 'electricity',
    tariffPlan: 'mono',
    tariffPlanned: null,
    creditMode: 'credit',
    breaker: 'closed',
    airplane: false,
    airplaneSince: null,
    lastSeen: null,
    channels: [
      { channel: 0, medium: 'electricity', owner: 'ores' },
      { channel: 1, medium: 'water', owner: 'farys' },
    ],
    ...change,
  }),
  home: 'ores',
});
const body = (type: string, args: object = {}) => ({ type, arguments: args }) as unknown as CommandBody;
const tariff = (plan: string, from: string) => body('tariff.set', { plan, from, windows: [] });
const stands = (what: CommandBody, of: ReturnType<typeof meter> | null, tenant = ORES) =>
  standingOf(what, of, tenant, TODAY);

describe('how a meter stands', () => {
  it('unknown, foreign, in airplane mode, or not for somebody in prepayment: the desk would refuse it', () => {
    expect(stands(body('p1.set'), null)).toBe('unknown');
    expect(stands(body('p1.set'), { ...meter(), home: 'resa' })).toBe('foreign');
    expect(stands(body('p1.set'), meter({ airplane: true }))).toBe('airplane');
    expect(stands(body('airplane.on'), meter({ creditMode: 'prepaid' }))).toBe('prepaid');
  });

  it('foreign for the device and not for a channel of one’s own behind it', () => {
    const farys = 'farys' as TenantId;
    expect(stands(body('tariff.set'), meter(), farys)).toBe('foreign');
    expect(stands(body('read.now', { registers: [] }), meter(), farys)).toBe('ready');
    expect(stands(body('read.now', { registers: [] }), meter(), 'pidpa' as TenantId)).toBe('foreign');
  });

  it.each([
    [tariff('bi', '2026-01-01'), {}, 'ready'],
    [tariff('bi', '2026-01-01'), { tariffPlan: 'bi' }, 'already'],
    [
      tariff('bi', '2026-01-01'),
      { tariffPlan: 'bi', tariffPlanned: { plan: 'mono', from: '2027-01-01' } },
      'ready',
    ],
    [tariff('bi', '2027-01-01'), { tariffPlan: 'bi' }, 'ready'],
    [tariff('bi', '2027-01-01'), { tariffPlanned: { plan: 'bi', from: '2027-01-01' } }, 'already'],
    [tariff('bi', '2027-01-01'), { tariffPlanned: { plan: 'bi', from: '2027-02-01' } }, 'ready'],
    [body('prepayment.activate'), { creditMode: 'prepaid' }, 'already'],
    [body('prepayment.deactivate'), { creditMode: 'prepaid' }, 'ready'],
    [body('breaker.open'), { breaker: 'open' }, 'already'],
    [body('p1.set'), {}, 'ready'],
  ])('already so where the registry follows it: %j %j is %s', (what, change, standing) => {
    expect(stands(what, meter(change))).toBe(standing);
  });
});

describe('the bar', () => {
  it('says how far it is, how fast, and how long still', () => {
    expect(barText('signing', 50_000, 100_000, 10_000)).toBe(
      'signing    [##############..............] 50,000 of 100,000  5,000/s  10 s left',
    );
    expect(barText('upload', 0, 0, 0)).toContain('0 of 0');
  });

  it('is drawn for somebody who looks at it, and seldom; nothing goes into a pipe', () => {
    const written: string[] = [];
    const stream = (isTTY: boolean) =>
      ({ isTTY, write: (text: string) => written.push(text) }) as unknown as NodeJS.WriteStream;
    progressBar('x', 10, stream(false)).at(5);
    expect(written).toEqual([]);
    const bar = progressBar('x', 10_000, stream(true));
    for (let count = 0; count < 10_000; count += 1) bar.at(count);
    bar.end();
    expect(written.length).toBeLessThan(100);
    expect(written.at(-1)).toBe('\n');
  });
});
