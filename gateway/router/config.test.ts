import { describe, expect, it } from 'vitest';
import { isHesError } from '../../protocol/errors.ts';
import { parseConfig } from '../runtime/config.ts';
import { routerConfig } from './config.ts';

const SIMULATED = { kind: 'simulated', originMs: 0, startedAtMs: 0, speed: 1440 };

const valid = (change: object = {}) => ({
  tenant: 'ores',
  sealingKeys: [{ certificate: '/k.crt', key: '/k.key' }],
  trust: { root: '/root.crt', issuers: [{ tenant: 'ores', certificate: '/ores.crt' }] },
  mdm: { url: 'https://mdm.example/readings' },
  ...change,
});

function refusal(change: object): string {
  try {
    parseConfig(routerConfig, valid(change));
  } catch (error) {
    if (isHesError(error, 'ERR_CONFIG')) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('the configuration of a router', () => {
  it.each([
    ['an unknown key', { mdm: { url: 'https://mdm.example/', retires: 3 } }, 'mdm.retires'],
    ['a simulated clock in production', { clock: SIMULATED }, 'mode and clock'],
    ['plain HTTP in production', { mdm: { url: 'http://mdm.example/' } }, 'mode and mdm.url'],
    ['another protocol', { mdm: { url: 'ftp://mdm.example/' } }, 'mdm.url'],
    ['credentials in an address', { mdm: { url: 'https://me:secret@mdm.example/' } }, 'mdm.url'],
    [
      'a client certificate without its key',
      { mdm: { url: 'https://m.example/', tls: { certificate: '/c' } } },
      'mdm.tls.certificate and mdm.tls.key',
    ],
    [
      'a request that outlasts its answer',
      { limits: { answerWithinMs: 1_000 } },
      'mdm.requestMs and limits.answerWithinMs',
    ],
    [
      'a range upside down',
      { later: { minSeconds: 900, maxSeconds: 60 } },
      'later.minSeconds and later.maxSeconds',
    ],
    ['no sealing key', { sealingKeys: [] }, 'sealingKeys'],
    ['a tenant that is none', { tenant: 'ORES' }, 'tenant'],
  ])('refuses %s, and names where', (_, change, where) => {
    expect(refusal(change)).toContain(where);
  });

  it('never quotes a secret that stands in the wrong place', () => {
    expect(refusal({ mdm: { url: 'https://me:secret@mdm.example/' } })).not.toContain('secret');
  });

  it('takes what it needs and fills in the limits', () => {
    const config = parseConfig(routerConfig, valid());
    expect(config).toMatchObject({
      mode: 'production',
      clock: { kind: 'real' },
      limits: { answerWithinMs: 8_000 },
    });
    expect(Object.isFrozen(config.mdm.batch)).toBe(true);
  });

  it('lets development run on a simulated clock against a stand-in over HTTP', () => {
    expect(refusal({ mode: 'development', clock: SIMULATED, mdm: { url: 'http://127.0.0.1:9000/' } })).toBe(
      'accepted',
    );
  });
});
