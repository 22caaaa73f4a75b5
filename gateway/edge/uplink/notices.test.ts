import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { readDeviceIdentity, replaceDeviceIdentity } from '../../../pki/identity.ts';
import { newSealingNotice } from '../../../pki/testing/notice.ts';
import { HesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { NOTICE_BYTES_MAX } from '../../../protocol/limits.ts';
import { readOuter } from '../../../protocol/outer.ts';
import { SUITES } from '../../../protocol/suites.ts';
import { downTopic } from '../../../protocol/topics.ts';
import type { EdgeDevice } from '../device.ts';
import { Outbox } from '../outbox/outbox.ts';
import { commandsFor } from '../testing/commanded.ts';
import { DAY, deviceBench, live } from '../testing/device.ts';
import { FARYS, ORES } from '../testing/meters.ts';
import { NOTICES_MAX } from './exchange.ts';

/** What a device does with notices, and with whatever else a head-end sends by their topic. */

const bench = deviceBench();
const WAIT = { timeout: 10_000 };
const count = (name: string): number => bench.counters.get(name);
const kidOf = (file: string, tenant = ORES): string => readDeviceIdentity(file).owners[tenant]!.kid;
const notice = (changes: Parameters<typeof newSealingNotice>[2] = {}) =>
  newSealingNotice(bench.headEnd.pki, ORES, changes);

/** A device that stays connected, with its identity in a file of its own. */
async function staying(save?: () => void): Promise<{ readonly device: EdgeDevice; readonly file: string }> {
  const file = join(bench.directory, 'identity.json');
  replaceDeviceIdentity(file, bench.identity);
  const device = await bench.startDevice(commandsFor(bench.identity, { stay: true }), {
    identity: {
      device: bench.identity.device,
      load: () => readDeviceIdentity(file),
      save(identity) {
        save?.();
        replaceDeviceIdentity(file, identity);
      },
    },
  });
  await device.wake();
  return { device, file };
}

const send = (signed: Uint8Array, tenant: TenantId = ORES): void => {
  const topic = downTopic(tenant, bench.identity.device, 'notice');
  expect(bench.headEnd.send(ORES, bench.identity.device, signed, topic)).toBe(true);
};

/** What comes after it is taken after it. */
async function taken(kid: string, file: string): Promise<void> {
  await vi.waitFor(() => expect(kidOf(file)).toBe(kid), WAIT);
}

describe('a notice', () => {
  test('is on the disk, and the next day is sealed to the new key', async () => {
    const { device, file } = await staying();
    const { signed, kid } = notice();
    send(signed);
    await taken(kid, file);
    live(device, DAY, { guest: false });
    await device.closeDay();
    expect(count('edge.notice.taken')).toBe(1);
    await device.close();
    const outbox = Outbox.open({ directory: bench.directory, device: bench.identity.device });
    const [entry] = outbox.pending();
    const sealed = readOuter(outbox.read(entry!).sealed, SUITES);
    outbox.close();
    expect(Buffer.from(sealed.kid).toString('hex')).toBe(kid);
    expect(readDeviceIdentity(file).owners[FARYS]).toEqual(bench.identity.owners[FARYS]);
  });

  test('that comes again is known, and one before it is not taken', async () => {
    const { file } = await staying();
    const nowMs = Date.now();
    const [before, present] = [notice({ number: nowMs - 1 }), notice({ number: nowMs })];
    send(present.signed);
    await taken(present.kid, file);
    send(present.signed);
    send(before.signed);
    await vi.waitFor(() => expect(count('edge.notice.known')).toBe(2), WAIT);
    expect(kidOf(file)).toBe(present.kid);
  });

  test('that the disk does not take changes nothing until it does', async () => {
    let full = true;
    const { file } = await staying(() => {
      if (full) throw new HesError('ERR_PKI_DAMAGED', 'no space left on the device');
    });
    const { signed, kid } = notice();
    send(signed);
    await vi.waitFor(() => expect(count('edge.notice.refused.ERR_PKI_DAMAGED')).toBe(1), WAIT);
    expect(kidOf(file)).toBe(bench.identity.owners[ORES]!.kid);
    full = false;
    send(signed);
    await taken(kid, file);
  });
});

describe('what is no notice of its operator', () => {
  const altered = (): Uint8Array => {
    const { signed } = notice();
    return signed.with(signed.length - 1, signed.at(-1)! ^ 1);
  };
  test.each<[string, () => Uint8Array, TenantId, string]>([
    ['an altered one', altered, ORES, 'ERR_ENVELOPE_SIGNATURE'],
    ['noise', () => randomBytes(2_000), ORES, 'ERR_ENVELOPE_SIGNED'],
    ['nothing', () => new Uint8Array(0), ORES, 'ERR_ENVELOPE_SIGNED'],
    ['more than one may be', () => randomBytes(NOTICE_BYTES_MAX + 1), ORES, 'ERR_NOTICE_CBOR'],
    [
      'that of another tenant',
      () => newSealingNotice(bench.headEnd.pki, FARYS).signed,
      ORES,
      'ERR_TRUST_AUTHORITY',
    ],
    ['its own on the topic of a guest', () => notice().signed, FARYS, 'ERR_TRUST_AUTHORITY'],
  ])('%s changes nothing, and the next one is taken', async (_name, bytes, tenant, code) => {
    const { device, file } = await staying();
    const before = JSON.stringify(readDeviceIdentity(file));
    send(bytes(), tenant);
    await vi.waitFor(() => expect(count(`edge.notice.refused.${code}`)).toBe(1), WAIT);
    expect(JSON.stringify(readDeviceIdentity(file))).toBe(before);
    const { signed, kid } = notice();
    send(signed);
    await taken(kid, file);
    expect(device.connected).toBe(true);
  });

  test('by the thousand is looked at a bounded number of times, and the device goes on', async () => {
    const { device, file } = await staying();
    const noise = randomBytes(100);
    for (let sent = 0; sent < 1_000; sent++) send(noise);
    await vi.waitFor(() => expect(count('edge.notice.refused.ERR_ENVELOPE_SIGNED')).toBe(NOTICES_MAX), WAIT);
    await vi.waitFor(async () => expect((await device.wake()).receiptsIgnored).toBeGreaterThan(0), WAIT);
    expect(kidOf(file)).toBe(bench.identity.owners[ORES]!.kid);
    expect(device.connected).toBe(true);
  });
});
