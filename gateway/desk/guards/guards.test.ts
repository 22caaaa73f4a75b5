import { describe, expect, it } from 'vitest';
import type { CommandBody } from '../../../protocol/command/command.ts';
import { COMMAND_TYPES, type CommandType, rowOf } from '../../../protocol/command/table.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { parseObisCode } from '../../../protocol/obis.ts';
import { SAMPLE_SECONDS, sampleCommand } from '../../../protocol/testing/command-samples.ts';
import { SAMPLE_DEVICE } from '../../../protocol/testing/samples.ts';
import { type Meter, newMeter } from '../registry/meter.ts';
import { checkCalendar, isProtected, usualPeriods } from './calendar.ts';
import { checkMeterState } from './meter-state.ts';
import { checkCanceller, checkReleaser } from './people.ts';
import { channelOf, checkScope } from './scope.ts';
import { isHeld, THRESHOLDS } from './thresholds.ts';
import { COUNTER_AHEAD_MAX_MS, checkValidity } from './validity.ts';

const ORES = 'ores' as TenantId;
const FARYS = 'farys' as TenantId;

function codeOf(check: () => void): string {
  try {
    check();
    return 'none';
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.code;
  }
}

const body = (type: CommandType, args: object): CommandBody =>
  ({ type, arguments: args }) as unknown as CommandBody;

const STANDING = {
  airplaneSince: null,
  creditMode: 'credit',
  tariffPlan: 'mono',
  tariffPlanned: null,
} as const;

describe('the non-disconnection period', () => {
  const winter = [{ yearly: { from: '11-01', to: '03-31' } }] as const;
  const cut = body('breaker.open', { cause: 'credit' });
  const at = (text: string): number => Date.parse(text) / 1_000;

  it('begins and ends with local days, over New Year', () => {
    for (const [instant, code] of [
      ['2026-10-31T22:59:59Z', 'none'],
      ['2026-10-31T23:00:00Z', 'ERR_DESK_PROTECTED'],
      ['2027-01-01T00:00:00Z', 'ERR_DESK_PROTECTED'],
      ['2027-03-31T21:59:59Z', 'ERR_DESK_PROTECTED'],
      ['2027-03-31T22:00:00Z', 'none'],
    ] as const)
      expect(
        codeOf(() => checkCalendar(winter, cut, at(instant))),
        instant,
      ).toBe(code);
  });

  it('forbids cuts for credit, of gas and water too, and neither other causes nor giving back', () => {
    const january = at('2027-01-15T12:00:00Z');
    for (const [type, cause, code] of [
      ['valve.close', 'credit', 'ERR_DESK_PROTECTED'],
      ['breaker.open', 'safety', 'none'],
      ['valve.close', 'fraud', 'none'],
      ['breaker.arm', 'credit', 'none'],
    ] as const)
      expect(codeOf(() => checkCalendar(winter, body(type, { channel: 1, cause }), january))).toBe(code);
  });

  it('can be prolonged once, and lie within one year', () => {
    const periods = [
      { once: { from: '2027-04-01', to: '2027-04-15' } },
      { yearly: { from: '07-01', to: '07-31' } },
    ];
    expect(
      ['2027-04-01', '2027-04-15', '2027-04-16', '2028-04-01', '2030-07-31', '2030-08-01'].map((day) =>
        isProtected(periods, day),
      ),
    ).toEqual([true, true, false, false, true, false]);
  });

  it('has a usual calendar where electricity is supplied', () => {
    for (const tenant of ['ores', 'resa', 'fluvius', 'sibelga'])
      expect(isProtected(usualPeriods(tenant as TenantId), '2027-01-15')).toBe(true);
    expect(usualPeriods(FARYS)).toEqual([]);
  });
});

describe('the state of a meter', () => {
  it('in airplane mode refuses every command, and says since when and how it ends', () => {
    for (const type of COMMAND_TYPES)
      try {
        checkMeterState({ ...STANDING, airplaneSince: SAMPLE_SECONDS }, type);
        expect.unreachable();
      } catch (error) {
        expect(isHesError(error, 'ERR_DESK_AIRPLANE') && error.message).toMatch(
          /since 2026-12-01T08:00:00\.000Z .* local action at the meter/,
        );
      }
  });

  it('in prepayment refuses airplane mode alone', () => {
    const prepaid = { ...STANDING, creditMode: 'prepaid' } as const;
    for (const type of COMMAND_TYPES)
      expect(codeOf(() => checkMeterState(prepaid, type))).toBe(
        type === 'airplane.on' ? 'ERR_DESK_PREPAID' : 'none',
      );
  });

  it.each([
    { ...STANDING, tariffPlan: 'impact' },
    { ...STANDING, tariffPlanned: { plan: 'impact', from: '2027-01-01' } },
  ] as const)('with the impact tariff, now or soon, refuses airplane mode alone', (impact) => {
    for (const type of COMMAND_TYPES)
      expect(codeOf(() => checkMeterState(impact, type))).toBe(
        type === 'airplane.on' ? 'ERR_DESK_IMPACT' : 'none',
      );
  });
});

describe('the owner of what is commanded', () => {
  const meter: Meter = newMeter({
    device: SAMPLE_DEVICE,
    home: ORES,
    medium: 'electricity',
    channels: [
      { channel: 0, medium: 'electricity', owner: ORES },
      { channel: 1, medium: 'gas', owner: ORES },
      { channel: 2, medium: 'water', owner: FARYS },
    ],
  });
  const scope = (tenant: TenantId, command: CommandBody): string =>
    codeOf(() => checkScope(tenant, meter, command));
  const read = (...codes: string[]): CommandBody => body('read.now', { registers: codes.map(parseObisCode) });

  it('keeps guests from everything of the device', () => {
    for (const type of COMMAND_TYPES.filter((each) => rowOf(each).scope === 'device')) {
      expect(scope(FARYS, sampleCommand(type))).toBe('ERR_DESK_OWNER');
      expect(scope(ORES, sampleCommand(type))).toBe('none');
    }
  });

  it('lets each tenant command its own channels, and the home tenant no guest’s', () => {
    for (const [tenant, channel, code] of [
      [FARYS, 2, 'none'],
      [FARYS, 1, 'ERR_DESK_OWNER'],
      [FARYS, 0, 'ERR_DESK_OWNER'],
      [ORES, 1, 'none'],
      [ORES, 2, 'ERR_DESK_OWNER'],
      [ORES, 3, 'ERR_DESK_OWNER'],
    ] as const)
      expect(scope(tenant, body('valve.arm', { channel, cause: 'works' }))).toBe(code);
  });

  it('reads registers of own meters only', () => {
    expect(scope(ORES, read('1-0:1.8.1', '0-1:24.2.3'))).toBe('none');
    expect(scope(ORES, read('1-0:1.8.1', '0-2:24.2.1'))).toBe('ERR_DESK_OWNER');
    expect(scope(FARYS, read('0-2:24.2.1'))).toBe('none');
    expect(scope(FARYS, read('1-0:1.8.1'))).toBe('ERR_DESK_OWNER');
    expect(scope(FARYS, read())).toBe('none');
    expect(scope('pidpa' as TenantId, read())).toBe('ERR_DESK_OWNER');
  });

  it('tells M-Bus meters from relays', () => {
    const codes = ['0-2:24.2.1', '0-2:96.1.1', '0-2:96.3.10', '0-0:96.14.0', '1-2:1.8.0', '0-5:24.2.1'];
    expect(codes.map((code) => channelOf(parseObisCode(code)))).toEqual([2, 2, 0, 0, 0, 0]);
  });
});

describe('thresholds', () => {
  it('hold what is above them, by type and by kind of signer', () => {
    const { person, system } = THRESHOLDS['breaker.open'];
    const held = (role: 'operator' | 'marco', proposed: number): boolean =>
      isHeld(THRESHOLDS, { type: 'breaker.open', role }, proposed);
    expect([held('operator', person - 1), held('operator', person)]).toEqual([false, true]);
    expect([held('marco', system - 1), held('marco', system)]).toEqual([false, true]);
  });

  it('let the balances of the largest park through in one call', () => {
    expect(isHeld(THRESHOLDS, { type: 'prepayment.balance', role: 'marco' }, 2 * 66_000)).toBe(false);
  });
});

describe('dates', () => {
  const nowMs = SAMPLE_SECONDS * 1_000;
  it('of a command that is over, or from a clock that is ahead, are refused', () => {
    const command = sampleCommand('p1.set');
    expect(codeOf(() => checkValidity(command, nowMs))).toBe('none');
    expect(codeOf(() => checkValidity(command, command.expiry * 1_000))).toBe('ERR_DESK_EXPIRED');
    const ahead = { ...command, counter: nowMs + COUNTER_AHEAD_MAX_MS + 1 };
    expect(codeOf(() => checkValidity(ahead, nowMs))).toBe('ERR_DESK_AHEAD');
    const late = {
      ...command,
      notBefore: SAMPLE_SECONDS + 93 * 86_400,
      expiry: SAMPLE_SECONDS + 94 * 86_400,
    };
    expect(codeOf(() => checkValidity(late, nowMs))).toBe('ERR_DESK_AHEAD');
  });
});

describe('people', () => {
  it('who may not sign a command do not cancel it, and supervisors change nothing', () => {
    expect(codeOf(() => checkCanceller('tariff.set', { role: 'operator', person: 'ann' }))).toBe('none');
    expect(codeOf(() => checkCanceller('tariff.set', { role: 'approver', person: 'bea' }))).toBe('none');
    for (const role of ['supervisor', 'marco', 'prepayment'] as const)
      expect(codeOf(() => checkCanceller('tariff.set', { role, person: 'x' }))).toBe('ERR_DESK_ROLE');
  });

  it('do not release what they proposed, and only approvers release', () => {
    expect(codeOf(() => checkReleaser('ann', { role: 'approver', person: 'ann' }))).toBe(
      'ERR_DESK_SAME_PERSON',
    );
    expect(codeOf(() => checkReleaser('ann', { role: 'operator', person: 'bob' }))).toBe('ERR_DESK_ROLE');
    expect(codeOf(() => checkReleaser('ann', { role: 'approver', person: 'bea' }))).toBe('none');
  });
});
