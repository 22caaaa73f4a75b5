import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createDevelopmentPki,
  type DevelopmentPki,
  issueDevice,
} from '../../../pki/development/development.ts';
import type { DeviceIdentity } from '../../../pki/identity.ts';
import { parseConfig } from '../../runtime/config.ts';
import type { Log } from '../../runtime/log.ts';
import { FARYS, meter, ORES } from '../testing/meters.ts';
import { type EdgeConfig, edgeConfig } from './config.ts';
import { daysLeft, loadIdentities } from './identity.ts';

const DAY_MS = 86_400_000;
const nowMs = Date.now();
let folder: string;
let pki: DevelopmentPki;
let identity: DeviceIdentity;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hes-identity-'));
  pki = createDevelopmentPki({ directory: join(folder, 'pki'), tenants: [ORES, FARYS], nowMs });
  identity = issueDevice(pki, { home: ORES, guests: [FARYS], nowMs });
});
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function saved(content: unknown, mode = 0o600): string {
  files += 1;
  const file = join(folder, `${files}.json`);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  chmodSync(file, mode);
  return file;
}

function edge(identities: readonly string[], owners: readonly object[] = [], development = true): EdgeConfig {
  const devices = identities.map((file, index) => ({
    identity: file,
    owners,
    sources: [{ p1: { tcp: { host: 'bridge', port: index + 1 } } }],
  }));
  return parseConfig(edgeConfig, { data: folder, headEnd: { host: 'a' }, development, devices });
}

function load(config: EdgeConfig, atMs = nowMs) {
  const said: string[] = [];
  const note = (_: object, text: string): void => void said.push(text);
  const loaded = loadIdentities(config, atMs, { warn: note, error: note } as unknown as Log);
  return { loaded, said };
}

const refusal = (config: EdgeConfig): { code?: string; message?: string } => {
  try {
    load(config);
    return {};
  } catch (error) {
    return error as { code: string; message: string };
  }
};

describe('an identity', () => {
  it.each<[string, () => EdgeConfig, string]>([
    ['that is not there', () => edge([join(folder, 'none.json')]), 'devices[0].identity'],
    ['that is no JSON', () => edge([saved('{"tls":"secret')]), 'is damaged'],
    [
      'whose key is none',
      () => edge([saved({ ...identity, tls: { ...identity.tls, key: identity.tls.certificate } })]),
      'is damaged',
    ],
    ['of a development PKI in production', () => edge([saved(identity)], [], false), 'development'],
    [
      'of a device that is there already, under another name',
      () => edge([saved(identity), saved(identity)]),
      'devices[0].identity and devices[1].identity',
    ],
    [
      'without an owner that is asked for',
      () => edge([saved(identity)], [{ channel: 1, tenant: 'pidpa' }]),
      'devices[0].owners[0].tenant',
    ],
    [
      'whose owner is of another PKI',
      () => {
        const other = createDevelopmentPki({ directory: join(folder, 'other'), tenants: [ORES], nowMs });
        return edge([saved({ ...identity, root: other.root.pem })]);
      },
      'devices[0].identity',
    ],
  ])('%s is refused', (_, config, words) => {
    const { code, message } = refusal(config());
    expect(code).toBe('ERR_CONFIG_IDENTITY');
    expect(message).toContain(words);
    expect(message).not.toContain('secret');
  });

  it('that others may read is said loudly', () => {
    expect(load(edge([saved(identity, 0o644)])).said).toEqual([expect.stringContaining('OTHER USERS')]);
    expect(load(edge([saved(identity)])).said).toEqual([]);
  });

  it('that has expired, or a clock that was never set, stops no start', () => {
    const { said, loaded } = load(edge([saved(identity)]), nowMs + 30 * 365 * DAY_MS);
    expect(said).toHaveLength(2);
    expect(daysLeft(loaded[0]!.certificates, nowMs + 30 * 365 * DAY_MS)).toBeLessThan(0);
    expect(load(edge([saved(identity)]), 0).said).toHaveLength(2);
  });

  it('knows whose a meter is: by serial number, then by channel, else the home’s', () => {
    const owners = [
      { channel: 2, tenant: FARYS },
      { serial: 'OWN', tenant: ORES },
      { serial: 'FAR', tenant: FARYS },
    ];
    const [loaded] = load(edge([saved(identity)], owners)).loaded;
    const ownerOf = (channel: number, serial: string) => loaded!.owners(meter([], { channel, serial }));
    expect(ownerOf(0, 'X')).toBe(ORES);
    expect(ownerOf(2, 'X')).toBe(FARYS);
    expect(ownerOf(2, 'OWN')).toBe(ORES);
    expect(ownerOf(0, 'FAR')).toBe(FARYS);
  });
});
