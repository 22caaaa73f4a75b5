import { describe, expect, it } from 'vitest';
import { issueDevice } from '../../../pki/development/development.ts';
import type { Renewal } from '../renewal/renewal.ts';
import { deviceBench } from '../testing/device.ts';
import { ORES } from '../testing/meters.ts';
import { certificatesOf } from './identity.ts';
import { readOnlyCommands } from './read-only.ts';

const bench = deviceBench();
const config = { commands: { stay: false, everySeconds: null }, clock: { kind: 'real' } } as const;

function commandsOf(renewal?: Pick<Renewal, 'perform' | 'standing'>) {
  const identity = issueDevice(bench.headEnd.pki, { home: ORES, guests: [], nowMs: Date.now() });
  const loaded = { identity, certificates: certificatesOf(identity), owners: () => ORES };
  return readOnlyCommands(config, { identity: 'file', owners: [], sources: [] }, loaded, renewal);
}

describe('a meter that is only read', () => {
  it('takes no command to renew a key where nobody renews it', async () => {
    const { installation, hardware } = commandsOf();
    expect(installation.commands).toEqual(['read.now']);
    expect(await hardware.perform({ kind: 'credential', key: 'tls' })).toBe('hardware');
    expect(await hardware.standing({ kind: 'credential', key: 'tls' })).toBe(false);
  });

  it('takes it where somebody does, and moves nothing all the same', async () => {
    const asked: string[] = [];
    const { installation, hardware } = commandsOf({
      perform: async (name) => {
        asked.push(name);
        return 'done';
      },
      standing: (name) => name === 'sign',
    });
    expect(installation.commands).toEqual(['read.now', 'credential.renew']);
    expect(await hardware.perform({ kind: 'credential', key: 'agree' })).toBe('done');
    expect(asked).toEqual(['agree']);
    expect(await hardware.standing({ kind: 'credential', key: 'sign' })).toBe(true);
    expect(await hardware.standing({ kind: 'credential', key: 'tls' })).toBe(false);
    expect(await hardware.perform({ kind: 'port', on: false })).toBe('hardware');
    expect(await hardware.standing({ kind: 'port', on: false })).toBe(false);
    expect(await hardware.perform({ kind: 'reach', channel: 1 })).toBe('done');
  });
});
