import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeviceId } from '../../protocol/identity.ts';
import { readDeviceIdentity } from '../identity.ts';
import { type EstWorld, startEstWorld } from '../testing/est.ts';
import { FARYS, FLUVIUS, makeRoot, ORES } from '../testing/field.ts';
import { certify, newKeyPair } from '../x509/certify.ts';
import { toPem } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';
import { rootFingerprint } from './answer-accept.ts';
import { type EnrolOptions, enrolOverEst } from './over-est.ts';
import { keyHash } from './request-check.ts';

const folder = mkdtempSync(join(tmpdir(), 'hes-enrol-est-'));
const since = { notBeforeMs: Date.now() - 86_400_000 };
const maker = makeRoot({ ...since, subject: { commonName: 'meter works' } });
let world: EstWorld;
let pinned: { pem: string };
beforeAll(async () => {
  world = await startEstWorld(join(folder, 'pki'), [ORES, FARYS], [maker.certificatePem]);
  pinned = { pem: world.pki.root.pem };
});
afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

let places = 0;
const newPlace = () => {
  places += 1;
  return {
    folder: join(folder, `device-${places}`),
    file: join(folder, `device-${places}`, 'identity.json'),
    device: places.toString(16).padStart(16, '0') as DeviceId,
  };
};
const options = (by: EnrolOptions['by'], changes: Partial<EnrolOptions> = {}): EnrolOptions => ({
  url: world.url,
  servername: 'localhost',
  root: pinned,
  by,
  home: ORES,
  guests: [],
  atMs: Date.now(),
  development: true,
  ...changes,
});
const refused = (code: string) => expect.objectContaining({ code }) as Error;

describe('a first enrolment over EST', () => {
  it('takes no root but the pinned one, by name or by fingerprint, and sends it nothing', async () => {
    const { file, device } = newPlace();
    const by = { code: world.expect(device) };
    const other = makeRoot({ ...since, development: true });
    await expect(enrolOverEst(file, options(by, { root: { pem: other.certificatePem } }))).rejects.toThrow(
      refused('ERR_EST_UNREACHABLE'),
    );
    rmSync(`${file}.pending`);
    const before = world.counts.get('est.simpleenroll');
    const fingerprint = rootFingerprint(other.certificatePem);
    await expect(enrolOverEst(file, options(by, { root: { fingerprint } }))).rejects.toThrow(
      refused('ERR_ENROL_ROOT'),
    );
    expect(world.counts.get('est.simpleenroll')).toBe(before);
  });

  it('of a server under another name ends before anything is asked', async () => {
    const { file, device } = newPlace();
    const by = { code: world.expect(device) };
    await expect(enrolOverEst(file, options(by, { servername: 'elsewhere.example' }))).rejects.toThrow(
      refused('ERR_EST_UNREACHABLE'),
    );
  });

  it('is refused without a code that is good, by name of the reason, and leaves no identity', async () => {
    const { file, folder: place } = newPlace();
    const failed = await enrolOverEst(file, options({ code: 'NONE0-00000-00000-00000' })).catch(
      (error: unknown) => error,
    );
    expect(failed).toMatchObject({ code: 'ERR_EST_REFUSED', context: { status: 401 } });
    expect(String((failed as Error).message)).toContain('ERR_CA_CODE');
    expect(readdirSync(place)).toEqual(['identity.json.pending']);
  });

  it('is refused for a guest that the operator did not register, or whose notice is nowhere', async () => {
    const one = newPlace();
    const by = { code: world.expect(one.device) };
    await expect(enrolOverEst(one.file, options(by, { guests: [FARYS] }))).rejects.toThrow(
      refused('ERR_ENROL_ANSWER'),
    );
    const two = newPlace();
    const without = { code: world.expect(two.device, [FLUVIUS]) };
    await expect(enrolOverEst(two.file, options(without))).rejects.toThrow(refused('ERR_EST_REFUSED'));
  });

  it('learns its name, its tenants, their sealing keys and their offices, for a root known by its fingerprint', async () => {
    const { file, device, folder: place } = newPlace();
    const by = { code: world.expect(device, [FARYS]) };
    const fingerprint = rootFingerprint(pinned.pem);
    const { identity, again } = await enrolOverEst(file, options(by, { root: { fingerprint } }));
    expect(again).toBe(false);
    expect(identity).toMatchObject({ device, home: ORES, guests: [FARYS], root: pinned.pem });
    expect(Object.keys(identity.owners)).toEqual([ORES, FARYS]);
    expect(Object.keys(identity.office!.issuers)).toEqual([ORES, FARYS]);
    expect(readDeviceIdentity(file)).toEqual(identity);
    expect(readdirSync(place)).toEqual(['identity.json']);
    await expect(enrolOverEst(file, options(by))).rejects.toThrow(refused('ERR_ENROL_EXISTS'));
  });

  it('by a birth certificate opens the door once, and again to the same keys', async () => {
    const { file, device } = newPlace();
    const pair = newKeyPair();
    const der = certify(maker, {
      profile: { ...PROFILES.deviceTls, name: 'birth' },
      subject: { commonName: 'meter 1' },
      names: {},
      spki: pair.spki,
      ...since,
    });
    world.register.devices.add({ device, home: ORES, guests: [], birthKey: keyHash(pair.spki) }, 'test');
    const by = { key: pair.privateKeyPem, certificate: toPem('CERTIFICATE', der) };
    const { identity } = await enrolOverEst(file, options(by));
    expect(identity.device).toBe(device);
    const other = newPlace();
    await expect(enrolOverEst(other.file, options(by))).rejects.toMatchObject({
      code: 'ERR_EST_REFUSED',
      context: { status: 403, refusal: 'ERR_EST_ENROLLED' },
    });
  });

  it('whose process ends after any step goes on with the same keys to the same device', async () => {
    let steps = 0;
    for (let endAt = 1; ; endAt += 1) {
      const { file, device, folder: place } = newPlace();
      const by = { code: world.expect(device, [FARYS]) };
      let step = 0;
      const onStep = (): void => {
        step += 1;
        if (step === endAt) throw new Error('the power is cut');
      };
      const ended = await enrolOverEst(file, options(by, { onStep })).then(
        () => false,
        (error: Error) => error.message === 'the power is cut',
      );
      const pending = ended ? readFileSync(`${file}.pending`, 'utf8') : undefined;
      if (ended) await enrolOverEst(file, options(by));
      const identity = readDeviceIdentity(file);
      expect(identity.device).toBe(device);
      const records = world.register.certificates.list({ filter: { device }, limit: 10 });
      expect(records.map(({ state }) => state)).toEqual(['valid', 'valid', 'valid']);
      expect(readdirSync(place)).toEqual(['identity.json']);
      if (pending === undefined) break;
      const { tls, sign, agree } = identity;
      expect(JSON.parse(pending).keys).toEqual({ tls: tls.key, sign: sign.key, agree: agree.key });
      // Put in its place, and cut off before the keys that waited were removed: the same again tidies.
      writeFileSync(`${file}.pending`, pending, { mode: 0o600 });
      expect(await enrolOverEst(file, options(by))).toEqual({ identity, again: true });
      expect(readdirSync(place)).toEqual(['identity.json']);
      steps += 1;
    }
    expect(steps).toBe(6);
  });
});
