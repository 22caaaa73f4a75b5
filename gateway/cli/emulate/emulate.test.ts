import { describe, expect, it } from 'vitest';
import { Household } from '../../../meter-emulator/meter/household.ts';
import type { MeterScreen } from '../../../meter-emulator/operations/screen.ts';
import type { P1MeterState } from '../../../meter-emulator/p1/encode.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { placeOf, planOf } from './options.ts';
import { renderMeter } from './render.ts';
import { PageTurner, pagesOf } from './screens.ts';

const usage = expect.objectContaining({ code: 'ERR_USAGE' });
const state: P1MeterState = {
  ...new Household(1, { phases: 3 }).stateAt(Date.parse('2026-06-15T10:00:00Z')),
  importWh: [1_234_567, 89],
};

describe('hes emulate meter', () => {
  it.each([
    [{ p1: ['udp:1'] }],
    [{ p1: ['pty:'] }],
    [{ p1: ['tcp:70000'] }],
    [{ p1: ['rtu:/tmp/x'] }],
    [{ modbus: ['pty:/tmp/x'] }],
    [{ dialect: 'morse' }],
    [{ dialect: 'dsmr-2.2', fault: ['wrong-crc'] }],
    [{ dialect: 'luxembourg' }],
    [{ phases: 2 }],
    [{ profile: 'sdm630' }],
    [{ authKey: 'x' }],
    [{ key: '/nowhere/at/all' }],
    [{ identity: 'identity.json' }],
    [{ front: 'localhost:8883' }],
    [{ identity: 'identity.json', front: 'localhost' }],
    [{ identity: 'identity.json', front: 'localhost:0' }],
    [{ servername: 'localhost' }],
    [{ fault: ['thunder'] }],
    [{ from: '2026-02-30' }],
    [{ from: '2026-02-28T25:00' }],
  ])('refuses %j', async (flags) => {
    await expect(planOf(flags)).rejects.toThrow(usage);
  });

  it('serves on the port of ser2net’s example unless told, and no P1 where only Modbus is asked for', async () => {
    expect((await planOf({})).options.ports).toEqual([{ tcp: { port: 2001 } }]);
    expect((await planOf({ modbus: ['tcp:1502'] })).options.ports).toEqual([]);
  });

  it('takes places with and without a host, and with brackets', () => {
    expect(placeOf('--p1', 'tcp:2001', 'pty', {})).toEqual({ tcp: { port: 2001 } });
    expect(placeOf('--p1', 'tcp:0.0.0.0:0', 'pty', { readersMax: 1 })).toEqual({
      tcp: { host: '0.0.0.0', port: 0, readersMax: 1 },
    });
    expect(placeOf('--p1', 'tcp:[::1]:2001', 'pty', {})).toEqual({ tcp: { host: '::1', port: 2001 } });
    expect(placeOf('--modbus', 'rtu:/tmp/a:b', 'rtu', {})).toEqual({ pty: { path: '/tmp/a:b' } });
  });

  it('begins its clock at a local time, on the day of the clock change too', async () => {
    const { options } = await planOf({ from: '2026-10-25T12:00', speed: 1 });
    const lateMs = options.clock.nowMs() - Date.parse('2026-10-25T12:00:00+01:00');
    expect(lateMs).toBeGreaterThanOrEqual(0);
    expect(lateMs).toBeLessThan(1_440 * 1_000);
  });
});

describe('its display', () => {
  const view = {
    seed: 1,
    dialect: 'emucs-2.1.1',
    state,
    page: { code: '1.8.1', value: '0001234.567 kWh' },
    position: '1/20',
    blinkOn: true,
    readers: 1,
    telegrams: 12,
    standing: [],
    places: ['P1 at /dev/pts/1'],
    choosingFault: false,
    note: '',
    commanded: null,
  } as const;

  it('goes round the four registers by itself, and on from there with the button', () => {
    const { pages, cycling } = pagesOf(state);
    expect(pages.slice(0, cycling).map(({ code }) => code)).toEqual(['1.8.1', '1.8.2', '2.8.1', '2.8.2']);
    expect(pages[0]!.value).toBe('001234.567 kWh');
    const turner = new PageTurner();
    expect([0, 5_000, 10_000, 15_000, 20_000].map((nowMs) => turner.at(cycling, nowMs))).toEqual([
      0, 1, 2, 3, 0,
    ]);
    turner.press(pages.length, cycling, 21_000);
    turner.press(pages.length, cycling, 22_000);
    expect(turner.at(cycling, 40_000)).toBe(2);
    for (let press = 0; press < pages.length; press++) turner.press(pages.length, cycling, 41_000);
    expect(turner.at(cycling, 42_000)).toBe(2);
    expect(turner.at(cycling, 80_000)).toBe(0);
  });

  it('has no page for what this meter has not', () => {
    const single = { ...state, phases: state.phases.slice(0, 1), breaker: null, ean: null, devices: [] };
    const codes = pagesOf(single).pages.map(({ code }) => code);
    expect(codes).not.toContain('52.7.0');
    expect(codes).not.toContain('96.3.10');
    expect(codes).not.toContain('96.1.2');
    expect(codes.some((code) => code.startsWith('0-'))).toBe(false);
  });

  it('says that it is simulated, and shows code, value, rate, switch, time and port', () => {
    const text = renderMeter(view).join('\n');
    expect(text).toContain('SIMULATED METER');
    expect(text).toMatch(/1\.8\.1 .*T[12] /);
    expect(text).toContain('0001234.567 kWh');
    expect(text).toContain('switch closed');
    expect(text).toMatch(/2026-06-15 12:00:00 .*P1 open/);
    expect(renderMeter({ ...view, standing: ['closed'] }).join('\n')).toContain('P1 closed');
  });

  it('blinks while the switch may be closed by hand', () => {
    const ready = { ...state, breaker: 2 } as const;
    expect(renderMeter({ ...view, state: ready }).join('\n')).toContain('switch ready ▲');
    expect(renderMeter({ ...view, state: ready, blinkOn: false }).join('\n')).not.toContain('▲');
  });

  it('shows what commands did: prepayment, valves, plan, symbols; and is dark without power', () => {
    const symbols = {
      arrow: 'off',
      lowCredit: true,
      emergencyCredit: false,
      airplane: false,
      communication: true,
    } as const;
    const balance = { name: 'balance', text: '4.80 €' } as const;
    const commanded: MeterScreen = {
      simulated: true,
      device: '00112233445566ff' as DeviceId,
      home: 'ores' as TenantId,
      medium: 'electricity',
      power: 'on',
      connected: false,
      tariff: { plan: 'bi', rate: 2, rateName: 'night', register: 2, next: null },
      creditMode: 'prepaid',
      breaker: 'closed',
      valves: [
        { channel: 1, medium: 'gas', supply: 'ready', testing: false },
        { channel: 2, medium: 'gas', supply: 'on', testing: false },
      ],
      limiterW: null,
      message: '',
      port: 'off',
      airplaneSince: null,
      display: { screens: [balance], shown: { ...balance }, symbols },
      p1: null,
    };
    const lines = renderMeter({ ...view, commanded });
    expect(lines.slice(5, 11)).toMatchInlineSnapshot(`
      [
        " │                            0001234.567 kWh │",
        " │ balance 1/1                         4.80 € │",
        " │ gas ready ▲                                │",
        " │ LOW CREDIT  com                         bi │",
        " │ switch closed                         1/20 │",
        " │ 2026-06-15 12:00:00              P1 closed │",
      ]
    `);
    for (const line of lines.slice(2, 12)) expect(line).toHaveLength(47);
    const dark = renderMeter({ ...view, commanded: { ...commanded, power: 'off' } }).slice(2, 10);
    expect(dark.join('')).not.toMatch(/[a-z0-9]/i);
  });

  it('keeps the frame of the LCD straight whatever is in it', () => {
    for (const value of ['', 'x'.repeat(100)])
      for (const line of renderMeter({ ...view, page: { code: value, value } }).slice(2, 10))
        expect(line).toHaveLength(47);
  });
});
