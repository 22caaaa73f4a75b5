import { describe, expect, it } from 'vitest';
import { parseConfig } from '../runtime/config.ts';
import { frontConfigSchema } from './config.ts';
import { DEFAULT_LIMITS, FRONT_LIMITS, LIMIT_NAMES } from './limits.ts';

const RIGHT = {
  tls: { key: 'server.key', certificate: 'server.crt' },
  root: 'root.crt',
  tenants: { ores: { issuing: ['ores.crt'], crls: ['ores.crl'] } },
};
const parse = (change: object) => parseConfig(frontConfigSchema, { ...RIGHT, ...change });

describe('the configuration of a front', () => {
  it.each([
    ['an unknown key', { lissten: {} }, 'unknown key lissten'],
    ['an unknown limit', { limits: { heldPerMeterMax: 1 } }, 'unknown key limits.heldPerMeterMax'],
    [
      'an unknown key of a tenant',
      { tenants: { ores: { ...RIGHT.tenants.ores, key: 'x' } } },
      'unknown key tenants.ores.key',
    ],
    ['no tenant', { tenants: {} }, 'tenants: at least one tenant'],
    ['a tenant of no valid name', { tenants: { 'Ores!': RIGHT.tenants.ores } }, 'tenants.Ores!'],
    [
      'more issuing CAs than revocation lists',
      { tenants: { ores: { issuing: ['a', 'b'], crls: ['c'] } } },
      'tenants.ores.issuing and tenants.ores.crls',
    ],
    ['a port that is none', { listen: { port: 65_536 } }, 'listen.port'],
    ['a limit below its range', { limits: { packetBytesMax: 10 } }, 'limits.packetBytesMax'],
    ['a limit that is no integer', { limits: { sweepMs: 1_000.5 } }, 'limits.sweepMs'],
    [
      'more held per tenant than in all',
      { limits: { heldPerTenantMax: 9_000 } },
      'limits.heldPerTenantMax and limits.heldMax',
    ],
    [
      'more connections per tenant than in all',
      { limits: { connectionsMax: 5_000 } },
      'limits.connectionsPerTenantMax and limits.connectionsMax',
    ],
  ])('refuses %s', (_what, change, says) => {
    expect(() => parse(change)).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG', message: expect.stringContaining(says) }),
    );
  });

  it('listens on loopback, port 8883, with every limit at its value, unless it says otherwise', () => {
    const config = parse({});
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 8_883 });
    expect(config.limits).toEqual(DEFAULT_LIMITS);
    expect(config.development).toBe(false);
  });

  it('has every limit within its own range', () => {
    for (const name of LIMIT_NAMES) {
      const { value, min, max } = FRONT_LIMITS[name];
      expect([name, min <= value && value <= max]).toEqual([name, true]);
    }
  });
});
