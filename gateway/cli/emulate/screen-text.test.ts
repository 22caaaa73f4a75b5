import { describe, expect, it } from 'vitest';
import type { MeterScreen } from '../../../meter-emulator/operations/screen.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { screenText } from './screen-text.ts';

const usual: MeterScreen = {
  simulated: true,
  device: '00112233445566ff' as DeviceId,
  home: 'ores' as TenantId,
  medium: 'electricity',
  power: 'on',
  connected: true,
  tariff: { plan: 'mono', rate: 1, rateName: 'single', register: 1, next: null },
  creditMode: 'credit',
  breaker: 'closed',
  valves: [{ channel: 1, medium: 'gas', supply: 'on', testing: false }],
  limiterW: null,
  message: '',
  port: 'on',
  airplaneSince: null,
  display: {
    screens: [],
    shown: null,
    symbols: {
      arrow: 'off',
      lowCredit: false,
      emergencyCredit: false,
      airplane: false,
      communication: true,
    },
  },
  p1: ['0-0:96.14.0(0001)', '0-0:96.3.10(1)'],
};
const SCREENS = [
  { name: 'last-update', text: '2026-11-24 15:12' },
  { name: 'balance', text: '-3.50 €' },
  { name: 'emergency-credit', text: '11.50 €' },
] as const;

describe('the screen of a meter of the fleet', () => {
  it('says first that it is simulated, then what a person in front of it sees', () => {
    expect(screenText(usual)).toMatchInlineSnapshot(`
      " SIMULATED METER 00112233445566ff - measures nothing; electricity, ores, connected
       ┌────────────────────────────────────────────┐
       │ registers are not shown here               │
       │                                            │
       │ COM                                        │
       │ switch closed                     mono  T1 │
       └────────────────────────────────────────────┘
       Credit    usual
       Tariff    mono, rate 1 (single)
       Breaker   closed (1)
       Valve 1   gas: lets through (1)
       Limiter   none
       P1 prints
         0-0:96.14.0(0001)
         0-0:96.3.10(1)
      "
    `);
  });

  it('shows the screens of prepayment, the symbols, and the arrow while the button would close', () => {
    const symbols = { ...usual.display.symbols, arrow: 'blinking', lowCredit: true } as const;
    const prepaid: MeterScreen = {
      ...usual,
      creditMode: 'prepaid',
      breaker: 'armed',
      message: 'Coupure demain',
      limiterW: 2_300,
      tariff: {
        plan: 'bi',
        rate: 2,
        rateName: 'night',
        register: 2,
        next: { plan: 'mono', from: '2027-01-01' },
      },
      display: { screens: SCREENS, shown: { ...SCREENS[1] }, symbols: { ...symbols, emergencyCredit: true } },
      ean: '541449000000000001',
    };
    expect(screenText(prepaid)).toMatchInlineSnapshot(`
      " SIMULATED METER 00112233445566ff - measures nothing; electricity, ores, connected
       ┌────────────────────────────────────────────┐
       │ balance                                2/3 │
       │                                    -3.50 € │
       │ LOW CREDIT  EMERGENCY CREDIT  COM          │
       │ switch armed ▲ press                bi  T2 │
       │ Coupure demain                             │
       └────────────────────────────────────────────┘
       Button    1 last update      2026-11-24 15:12
                 2 balance          -3.50 €
                 3 emergency credit 11.50 €
       Credit    prepayment
       Tariff    bi, rate 2 (night); from 2027-01-01: mono
       Breaker   ready for the button (2)
       Valve 1   gas: lets through (1)
       Limiter   2.3 kW
       Message   Coupure demain
       Label     EAN 541449000000000001
       P1 prints
         0-0:96.14.0(0001)
         0-0:96.3.10(1)
      "
    `);
  });

  it('of a water meter speaks of its valve, and of nothing that it has not', () => {
    const water: MeterScreen = {
      ...usual,
      medium: 'water',
      breaker: null,
      valves: [{ channel: 0, medium: 'water', supply: 'off', testing: false }],
      p1: null,
    };
    expect(screenText(water)).toMatchInlineSnapshot(`
      " SIMULATED METER 00112233445566ff - measures nothing; water, ores, connected
       ┌────────────────────────────────────────────┐
       │ registers are not shown here               │
       │                                            │
       │ COM                                        │
       │ supply off                                 │
       └────────────────────────────────────────────┘
       Credit    usual
       Valve 0   water: shut (0)
      "
    `);
  });

  it('is dark without power, and says that a closed port says nothing', () => {
    const dark = screenText({ ...usual, power: 'off', p1: null });
    expect(dark).toContain('no power');
    expect(dark).not.toContain('P1');
    expect(screenText({ ...usual, port: 'off', p1: null })).toContain('closed: it says nothing');
    expect(screenText({ ...usual, airplaneSince: '2026-11-24T14:00:00.000Z' })).toContain('it sends nothing');
  });

  it('keeps the frame of the LCD straight whatever is in it', () => {
    const long = { ...usual, message: 'x'.repeat(200) };
    for (const line of screenText(long)
      .split('\n')
      .filter((text) => /^ [┌│└]/.test(text)))
      expect(line).toHaveLength(47);
  });
});
