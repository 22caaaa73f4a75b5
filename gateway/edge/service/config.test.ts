import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../runtime/config.ts';
import { edgeConfig, loadEdgeConfig } from './config.ts';

type Json = Record<string, unknown>;

const P1 = { p1: { serial: { path: 'ttyUSB0' } } };
const modbus = (channel: number, host = 'meter'): Json => ({
  modbus: { endpoint: { tcp: { host } }, meters: [{ profile: 'sdm630', channel }] },
});
const edge = (device: Json = {}, changes: Json = {}): Json => ({
  data: 'data',
  headEnd: { host: 'hes.example' },
  devices: [{ identity: 'identity.json', sources: [P1], ...device }],
  ...changes,
});
const refusal = (config: Json): string => {
  try {
    parseConfig(edgeConfig, config);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was taken');
};

describe('edge.yaml', () => {
  it.each<[string, Json, readonly string[]]>([
    ['an unknown key', edge({}, { headend: {} }), ['unknown key headend']],
    [
      'an unknown key deep within a source, with its path',
      edge({ sources: [{ p1: { serial: { path: 'a', baud: 9_600 } } }] }),
      ['unknown key devices[0].sources[0].p1.serial.baud'],
    ],
    [
      'an EST server that is no https://host[:port]',
      edge({ renewal: { url: 'https://ca.example/est' } }),
      ['devices[0].renewal.url', 'https://host[:port]'],
    ],
    ['no source', edge({ sources: [] }), ['devices[0].sources']],
    ['a source of no kind', edge({ sources: [{}] }), ['sources[0].p1 and', 'give one of the two']],
    [
      'a P1 source with two ways to bytes',
      edge({ sources: [{ p1: { file: 'a', stdin: true } }] }),
      ['p1.file', 'give one of the four'],
    ],
    [
      'a simulated clock in production',
      edge({}, { clock: { kind: 'simulated', originMs: 0, startedAtMs: 0, speed: 1 } }),
      ['development and clock', 'production'],
    ],
    [
      'P1 and Modbus on channel 0',
      edge({ sources: [P1, modbus(0)] }),
      ['devices[0].sources[0].p1', 'devices[0].sources[1].modbus.meters[0].channel', 'one channel'],
    ],
    [
      'two P1 ports of one device',
      edge({ sources: [P1, { p1: { tcp: { host: 'a', port: 1 } } }] }),
      ['sources[1].p1', 'a device of its own'],
    ],
    [
      'two Modbus lines with one channel',
      edge({ sources: [modbus(1), modbus(1, 'other')] }),
      ['sources[1].modbus.meters[0].channel'],
    ],
    [
      'one meter with two owners',
      edge({
        owners: [
          { channel: 1, tenant: 'farys' },
          { channel: 1, tenant: 'pidpa' },
        ],
      }),
      ['owners[0]', 'owners[1]', 'one owner'],
    ],
    [
      'an owner of neither channel nor serial',
      edge({ owners: [{ tenant: 'farys' }] }),
      ['owners[0].channel', 'give one of the two'],
    ],
    [
      'one port read twice',
      edge({}, { devices: [1, 2].map((one) => ({ identity: `${one}`, sources: [P1] })) }),
      ['devices[0].sources[0].p1', 'devices[1].sources[0].p1', 'one port'],
    ],
    [
      'two devices with one identity',
      edge(
        {},
        {
          devices: [1, 2].map((one) => ({ identity: 'a', sources: [modbus(0, `m${one}`)] })),
        },
      ),
      ['devices[0].identity and devices[1].identity'],
    ],
    [
      'a recording beside a live port',
      edge({ sources: [{ p1: { file: 'a.txt' } }, modbus(1)] }),
      ['sources[0]', 'sources[1]', 'recording'],
    ],
    [
      'unverified telegrams without a key',
      edge({ sources: [{ p1: { ...P1.p1, acceptUnverified: true } }] }),
      ['acceptUnverified', 'keys'],
    ],
    [
      'the time of the telegram from a live port',
      edge({ sources: [{ p1: { ...P1.p1, time: 'telegram' } }] }),
      ['p1.time', 'live port'],
    ],
  ])('refuses %s', (_, config, words) => {
    const message = refusal(config);
    for (const word of words) expect(message).toContain(word);
  });

  it('takes a P1 port with a Modbus meter on another channel', () => {
    const { devices, clock, schedule } = parseConfig(edgeConfig, edge({ sources: [P1, modbus(1)] }));
    expect(devices[0]!.sources).toHaveLength(2);
    expect(clock).toEqual({ kind: 'real' });
    expect(schedule.jitterMs).toBe(4 * 3_600_000);
  });

  it('reads paths relative to its own folder, and opens none of them', async () => {
    const config = await loadEdgeConfig({
      file: resolve(import.meta.dirname, '../../../deploy/examples/edge.yaml'),
    });
    expect(config.data).toBe('/var/lib/hes-edge');
    const desk = await loadEdgeConfig({
      file: resolve(import.meta.dirname, '../../../deploy/examples/edge-desk.yaml'),
    });
    expect(desk.data).toBe(resolve('.hes/edge'));
    const here = await loadEdgeConfig({ object: edge() });
    expect(here.data).toBe(resolve('data'));
    expect(here.devices[0]!.identity).toBe(resolve('identity.json'));
    expect(here.devices[0]!.sources[0]!.p1!.serial!.path).toBe(resolve('ttyUSB0'));
  });
});
