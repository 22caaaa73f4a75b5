import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deviceUri } from '../../protocol/identity.ts';
import { keyHash } from '../enrolment/request-check.ts';
import { BAD_CERTIFICATES, type Bad, type Ground, rightBut } from '../testing/bad-certificates.ts';
import { type EstDoor, expectDevice, openEstDoor, requestFor } from '../testing/est-door.ts';
import { DAY_MS, DEVICE, FLUVIUS, makeIssuing, makeRoot, ORES } from '../testing/field.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { certify, newKeyPair, type SigningAuthority } from '../x509/certify.ts';
import { toPem } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';

/** The table of bad certificates at the door where a device comes for its next one. None of them is our own fault. */

let door: EstDoor;
let ground: Ground;
beforeAll(async () => {
  door = await openEstDoor();
  expectDevice(door, DEVICE);
  ground = {
    profile: PROFILES.deviceTls,
    wrongProfile: 'deviceSign',
    commonName: DEVICE,
    uri: deviceUri(ORES, DEVICE),
    foreignUri: deviceUri(FLUVIUS, DEVICE),
    root: door.root,
    issuing: door.issuing,
    foreign: door.foreign,
    nowMs: door.nowMs,
    revokedSerial: randomBytes(16).fill(0x5e, 0, 1),
  };
});
afterAll(async () => {
  expect(door.faults).toEqual([]);
  await door.close();
});

/** The sender minds no weak key of its own. */
const LAX = { ciphers: 'DEFAULT@SECLEVEL=0' };

const client = ({ der, privateKey, between }: Bad) => ({
  ...LAX,
  cert: toPem('CERTIFICATE', der) + between,
  key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
});

/** A certificate that this CA made by its register, as the device that has it. */
function registered(use: 'deviceTls' | 'deviceSign' = 'deviceTls', notAfterMs?: number) {
  const pair = newKeyPair();
  const issued = door.authority.issue({
    profile: use,
    publicKey: pair.spki,
    name: { device: DEVICE },
    by: 'test',
    ...(notAfterMs === undefined ? {} : { notAfterMs }),
  });
  return { ...issued, cert: issued.pem, key: pair.privateKeyPem };
}
const renewWith = async (who: object) =>
  door.knock('simplereenroll', { ...who, body: await requestFor(newKeyPair(), DEVICE) });
const refused = (why: string) => ({ status: 401, text: expect.stringContaining(why) as string });

describe('a renewal', () => {
  it('goes by the certificate in use, and by the one before it until its end', async () => {
    const first = registered();
    expect(await renewWith(first)).toMatchObject({ status: 200 });
    expect(await renewWith(first)).toMatchObject({ status: 200 });
  });

  it.each(BAD_CERTIFICATES.filter(({ overTls }) => overTls).map((row) => ({ what: row.what, row })))(
    'is refused by a certificate $what',
    async ({ row }) => {
      // What is no certificate of ours is said to be none; all else stands in no register.
      const why = row.code === 'ERR_TRUST_MALFORMED' ? 'ERR_TRUST_MALFORMED' : 'is none that this CA gave';
      expect(await renewWith(client(row.make(ground)))).toMatchObject(refused(why));
    },
  );

  it('is refused by a right one that stands in no register', async () => {
    expect(await renewWith(client({ ...rightBut(ground), between: '' }))).toMatchObject(
      refused('is none that this CA gave'),
    );
  });

  it('is refused by one of the register that is over, of another use, or taken back, each for its reason', async () => {
    expect(await renewWith(registered('deviceTls', door.nowMs - 60_000))).toMatchObject(
      refused('is past its end'),
    );
    expect(await renewWith(registered('deviceSign'))).toMatchObject(refused('is not that of TLS'));
    const lost = registered();
    door.authority.revoke(lost.serial, { reason: 'keyCompromise', by: 'test' });
    expect(await renewWith(lost)).toMatchObject(refused('was revoked'));
  });

  it('is refused by another certificate under a serial number of the register', async () => {
    const { serial } = registered();
    const same = rightBut(ground, { serial: Buffer.from(serial, 'hex') });
    expect(parseCertificate(same.der).serial).toBe(serial);
    expect(await renewWith(client({ ...same, between: '' }))).toMatchObject(
      refused('is none that this CA gave'),
    );
  });
});

describe('a first enrolment', () => {
  const born = (by: SigningAuthority = door.maker, changes: Partial<Parameters<typeof certify>[1]> = {}) => {
    const pair = newKeyPair();
    const certificate = certify(by, {
      profile: PROFILES.deviceTls,
      subject: { commonName: 'meter 4711' },
      names: {},
      notBeforeMs: door.nowMs - DAY_MS,
      notAfterMs: door.nowMs + DAY_MS,
      ...changes,
      spki: pair.spki,
    });
    // Whatever is wrong with the certificate, its key is registered.
    const device = randomBytes(8).toString('hex') as typeof DEVICE;
    door.register.devices.add({ device, home: ORES, guests: [], birthKey: keyHash(pair.spki) }, 'test');
    return { cert: toPem('CERTIFICATE', certificate), key: pair.privateKeyPem };
  };
  const enrolWith = async (who: object) => door.knock('simpleenroll', { ...who, body: await requestFor() });

  it('goes by a birth certificate whose key is registered', async () => {
    expect(await enrolWith(born())).toMatchObject({ status: 200 });
  });

  it.each<[string, () => object]>([
    ['has expired', () => born(door.maker, { notAfterMs: door.nowMs - 60_000 })],
    ['is not valid yet', () => born(door.maker, { notBeforeMs: door.nowMs + DAY_MS / 2 })],
    ['is for a server', () => born(door.maker, { profile: PROFILES.frontServer })],
    ['is a CA itself', () => born(door.maker, { profile: PROFILES.issuing })],
    [
      'is of another maker',
      () => born(makeRoot({ notBeforeMs: door.nowMs - DAY_MS, subject: { commonName: 'x' } })),
    ],
    [
      'is of another maker with the name of the listed one',
      () => born(makeRoot({ notBeforeMs: door.nowMs - DAY_MS, subject: { commonName: 'meter works' } })),
    ],
    [
      'is of a CA below the listed one',
      () => born(makeIssuing(door.maker, FLUVIUS, { notBeforeMs: door.nowMs - DAY_MS })),
    ],
    ['is of our own CA', () => born(door.issuing)],
  ])('is refused by a birth certificate that %s', async (_, who) => {
    expect(await enrolWith(who())).toMatchObject(refused('is no birth certificate'));
  });
});
