import { describe, expect, it } from 'vitest';
import { profileNamed } from '../../edge/modbus/profiles.ts';
import { endpointOf, numberList, profileOf } from './flags.ts';
import { decimal, shownQuantity } from './show.ts';

const usage = expect.objectContaining({ code: 'ERR_USAGE' });

describe('hes modbus', () => {
  it('refuses no place, two places, and places that are none', () => {
    for (const flags of [
      {},
      { tcp: 'a', serial: '/dev/ttyUSB0' },
      { tcp: '' },
      { tcp: 'a:b' },
      { tcp: 'a:0' },
      { rtuTcp: 'a:70000' },
      { tcp: 'a:1:2' },
    ])
      expect(() => endpointOf(flags), JSON.stringify(flags)).toThrow(usage);
  });

  it('refuses lists that are none, or leave what is possible', () => {
    for (const list of ['', '1-', '5-1', '1,x', '-1', '300', '1-1000', '0-9999999'])
      expect(() => numberList('--ids', list, 0, 255), list).toThrow(usage);
    expect(numberList('--ids', '1-3, 2,126', 0, 255)).toEqual([1, 2, 3, 126]);
  });

  it('wants one profile, by name or by file', async () => {
    await expect(profileOf({})).rejects.toThrow(usage);
    await expect(profileOf({ profile: 'sdm630', profileFile: 'x' })).rejects.toThrow(usage);
    await expect(profileOf({ profile: 'nobody' })).rejects.toMatchObject({ code: 'ERR_MODBUS_PROFILE' });
  });

  it('takes what was not told of a line from the profile, and the usual port', () => {
    const { line } = profileNamed('pac2200');
    expect(endpointOf({ serial: '/dev/ttyS0', parity: 'even' }, line)).toEqual({
      serial: { path: '/dev/ttyS0', baud: 19_200, parity: 'even', stopBits: 2 },
    });
    expect(endpointOf({ tcp: '[::1]' })).toEqual({ tcp: { host: '::1', port: 502 } });
    expect(endpointOf({ rtuTcp: 'gateway.local:2217' })).toEqual({
      rtuTcp: { host: 'gateway.local', port: 2217 },
    });
  });

  it.each([
    [0, 2, '0'],
    [5, 2, '500'],
    [123_456, -2, '1234.56'],
    [-5, -2, '-0.05'],
    [0, -1, '0.0'],
    [7, 0, '7'],
  ])('prints %i times ten to the %i as %s', (value, scaler, text) => {
    expect(decimal(value, scaler)).toBe(text);
  });

  it('shows energy in thousands, with the digits that the register has', () => {
    expect(shownQuantity({ obis: '1-0:1.8.0', value: 1_234_567, scaler: 1, unit: 'Wh' })).toEqual({
      obis: '1-0:1.8.0',
      value: '12345.67',
      unit: 'kWh',
    });
    expect(shownQuantity({ obis: '1-0:32.7.0', value: 2_301, scaler: -1, unit: 'V' }).value).toBe('230.1');
  });
});
