import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { newSealingNotice } from '../../pki/testing/notice.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { parseConfig } from '../runtime/config.ts';
import { Counters } from '../runtime/counters.ts';
import { silentLog } from '../runtime/log.ts';
import { type RouterConfig, routerConfig } from './config.ts';
import { Keyring, SEALING_KEYS_MAX } from './keyring.ts';
import { createWorld } from './testing/world.ts';

const ORES = 'ores' as TenantId;
const world = createWorld([ORES, 'farys' as TenantId]);
afterAll(() => world.remove());
const { layout } = world.pki;
const present = world.pki.owners.get(ORES)!.kid;

let count = 0;
let directory: string;
let counters: Counters;
beforeEach(() => {
  directory = join(world.directory, `keys-${++count}`);
  mkdirSync(directory);
  counters = new Counters();
  const { certificate, key } = layout.sealing(ORES, present);
  copyFileSync(key, join(directory, `${present}.key`));
  copyFileSync(certificate, join(directory, `${present}.crt`));
});

const noticeFile = (): string => join(directory, 'notice.cose');
const configOf = (changes: object = {}): RouterConfig =>
  parseConfig(routerConfig, {
    mode: 'development',
    tenant: ORES,
    sealingKeysIn: { directory },
    trust: {
      root: layout.root.certificate,
      issuers: [{ tenant: ORES, certificate: layout.issuing(ORES).certificate }],
      notice: noticeFile(),
    },
    mdm: { url: 'http://127.0.0.1:1/' },
    ...changes,
  });
const open = (changes?: object): Promise<Keyring> => Keyring.open(configOf(changes), silentLog, counters);
const kidsOf = ({ keys }: Keyring): string[] =>
  keys.map(({ kid }) => Buffer.from(kid).toString('hex')).sort();

/** A key of the tenant joins, as a roll-over places it: the key, and then its certificate. */
function newKey(): ReturnType<typeof newSealingNotice> {
  const fresh = newSealingNotice(world.pki, ORES);
  writeFileSync(join(directory, `${fresh.kid}.key`), fresh.keyPem);
  writeFileSync(join(directory, `${fresh.kid}.crt`), fresh.certificatePem);
  return fresh;
}
const leave = (kid: string): void => {
  for (const end of ['key', 'crt']) rmSync(join(directory, `${kid}.${end}`));
};

describe('the keyring of a router', () => {
  it('takes up a key that joins and forgets one that goes, and counts who uses which', async () => {
    const keyring = await open();
    expect(kidsOf(keyring)).toEqual([present]);
    const { kid } = newKey();
    await keyring.reload();
    expect(kidsOf(keyring)).toEqual([kid, present].sort());
    keyring.opened(Buffer.from(present, 'hex'));
    keyring.opened(Buffer.from(kid, 'hex'));
    keyring.opened(Buffer.from(kid, 'hex'));
    leave(present);
    await keyring.reload();
    expect(kidsOf(keyring)).toEqual([kid]);
    expect([
      counters.get('sealing.keys'),
      counters.get(`opened.${present}`),
      counters.get(`opened.${kid}`),
    ]).toEqual([1, 1, 2]);
  });

  it('keeps what it has where the folder holds what is no key, and the last key in any case', async () => {
    const keyring = await open();
    writeFileSync(join(directory, `${'0'.repeat(16)}.key`), 'no key');
    writeFileSync(join(directory, `${'0'.repeat(16)}.crt`), 'no certificate');
    await keyring.reload();
    expect(kidsOf(keyring)).toEqual([present]);
    leave('0'.repeat(16));
    leave(present);
    await keyring.reload();
    expect(kidsOf(keyring)).toEqual([present]);
    expect(counters.get('sealing.failures')).toBe(2);
  });

  it('does not start without any key, nor with more than it takes, nor with one of another tenant', async () => {
    leave(present);
    await expect(open()).rejects.toMatchObject({ code: 'ERR_ROUTER_KEYS' });
    for (let at = 0; at <= SEALING_KEYS_MAX; at++) newKey();
    await expect(open()).rejects.toMatchObject({ code: 'ERR_ROUTER_KEYS' });
    const farys = layout.sealing('farys' as TenantId, world.pki.owners.get('farys' as TenantId)!.kid);
    await expect(open({ sealingKeysIn: undefined, sealingKeys: [farys] })).rejects.toMatchObject({
      code: 'ERR_TRUST_KEY',
    });
  });

  it('gives the notice to whoever seals to another key than it names, from the moment that it is there', async () => {
    const keyring = await open();
    const old = Buffer.from(present, 'hex');
    expect(keyring.opened(old)).toBeUndefined();
    const { kid, signed } = newKey();
    writeFileSync(noticeFile(), signed);
    await keyring.reload();
    expect(Buffer.from(keyring.opened(old)!)).toEqual(Buffer.from(signed));
    expect(keyring.opened(Buffer.from(kid, 'hex'))).toBeUndefined();
    writeFileSync(noticeFile(), 'no notice');
    await keyring.reload();
    expect(keyring.opened(old)).toBeDefined();
    rmSync(noticeFile());
    await keyring.reload();
    expect(keyring.opened(old)).toBeUndefined();
  });
});
