import { describe, expect, it } from 'vitest';
import { presetWindows } from '../../../protocol/command/presets.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { argumentsOfTexts, fallbackText } from './fill.ts';

const ORES = 'ores' as TenantId;
/** Already the next day in Belgium. */
const nowMs = Date.parse('2026-12-31T23:30:15Z');
const at = { tenant: ORES, nowMs };
const code = (run: () => unknown): unknown => {
  try {
    run();
    return 'none';
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

describe('what a terminal fills in', () => {
  it('is today where a tariff begins, as people in Belgium say it', () => {
    expect(argumentsOfTexts('tariff.set', { plan: 'mono' }, at)).toEqual({
      plan: 'mono',
      windows: [],
      from: '2027-01-01',
    });
  });

  it.each([
    ['ores', '2025-06-01'],
    ['ores', '2027-01-01'],
    ['fluvius', '2027-01-01'],
    ['sibelga', '2027-01-01'],
  ])('are the windows of the region of %s on %s', (tenant, from) => {
    const args = argumentsOfTexts('tariff.set', { plan: 'bi', from }, { tenant: tenant as TenantId, nowMs });
    expect(args.windows).toEqual(presetWindows(tenant as TenantId, 'bi', from));
  });

  it('is nothing where the region has no such plan, and says so', () => {
    const fluvius = { tenant: 'fluvius' as TenantId, nowMs };
    expect(code(() => argumentsOfTexts('tariff.set', { plan: 'impact' }, fluvius))).toBe('ERR_OP_PRESET');
    const windows = 'mon-sun+hol@17:00-22:00=1';
    expect(argumentsOfTexts('tariff.set', { plan: 'impact', windows }, fluvius).windows).toHaveLength(1);
  });

  it('is now for a balance, a clock, and a week for a message', () => {
    const now = Math.floor(nowMs / 1_000);
    expect(argumentsOfTexts('prepayment.balance', { balance: '-3.25' }, at)).toEqual({
      balanceCents: -325,
      asOf: now,
      topUpCents: null,
    });
    expect(argumentsOfTexts('clock.sync', {}, at)).toEqual({ time: now });
    expect(argumentsOfTexts('display.message', { text: 'Bonjour' }, at)).toEqual({
      text: 'Bonjour',
      until: now + 7 * 86_400,
    });
  });

  it('is never why a supply is cut, nor which valve', () => {
    expect(code(() => argumentsOfTexts('breaker.open', {}, at))).toBe('ERR_USAGE');
    expect(code(() => argumentsOfTexts('valve.close', { cause: 'safety' }, at))).toBe('ERR_USAGE');
  });

  it('names the words that would do where one is needed', () => {
    expect(() => argumentsOfTexts('credential.renew', {}, at)).toThrow(/needs --key: .*\(tls, sign, agree\)/);
  });

  it('does not hide what is wrong', () => {
    expect(code(() => argumentsOfTexts('prepayment.balance', { balance: '1', 'top-up': '4' }, at))).toBe(
      'ERR_COMMAND_SCHEMA',
    );
    expect(code(() => argumentsOfTexts('tariff.set', { plan: 'tri' }, at))).toBe('ERR_COMMAND_SCHEMA');
  });

  it('is said in the help', () => {
    expect(fallbackText('tariff.set', 'from')).toBe('today');
    expect(fallbackText('prepayment.activate', 'start-credit')).toBe('20.00 €');
    expect(fallbackText('breaker.open', 'cause')).toBeUndefined();
  });
});
