import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DeviceIdentity, issueDevice, revokeDevice } from '../../../pki/development/development.ts';
import { recipientOfCertificate } from '../registry/recipient.ts';
import { everybodyAwake, nobodyAwake } from '../testing/fake-bus.ts';
import {
  ask,
  type OfficeWorld,
  ORES,
  officeWorld,
  RESA,
  type RunningOffice,
} from '../testing/office-world.ts';

/** A meter has a new key, or somebody says so. */

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

let world: OfficeWorld;
let office: RunningOffice;
let device: DeviceIdentity;

beforeAll(() => {
  world = officeWorld();
});
afterAll(() => world.close());

/** The same device with other keys, certified so much later. */
const renewed = (afterMs: number, about: Partial<Parameters<typeof issueDevice>[1]> = {}): DeviceIdentity =>
  issueDevice(world.pki, { device: device.device, home: ORES, nowMs: Date.now() + afterMs, ...about });

const known = async (): Promise<string> => {
  const { certificate } = (await office.store.meter(device.device))!;
  return Buffer.from(certificate!).toString('base64');
};
const derOf = (pem: string): string => new X509Certificate(pem).raw.toString('base64');
const says = (certificate: string, by = device.device) =>
  office.field.report(device.device, world.keyReportOf(device.device, certificate, by));
const rows = async (): Promise<number> =>
  (await office.store.auditRows({ limit: 100 })).filter(({ event }) => event === 'meter-key').length;

describe('a desk that is told of a new key', () => {
  beforeAll(async () => {
    device = world.devices[0]!;
    office = await world.startOffice({}, nobodyAwake);
  });
  afterAll(() => office.stop());

  it.each<[string, () => string, string]>([
    ['of another profile', () => renewed(MINUTE_MS).sign.certificate, 'identity'],
    ['of another profile, TLS', () => renewed(MINUTE_MS).tls.certificate, 'identity'],
    ['of another device', () => world.devices[1]!.agree.certificate, 'identity'],
    ['of another tenant’s device', () => renewed(MINUTE_MS, { home: RESA }).agree.certificate, 'identity'],
  ])('changes nothing by a certificate %s', async (_, certificate, code) => {
    const before = await known();
    expect(await says(certificate())).toEqual({ kind: 'refused', code });
    expect(await known()).toBe(before);
    expect(await rows()).toBe(0);
  });

  it('changes nothing by a certificate that was altered', async () => {
    const der = new X509Certificate(renewed(MINUTE_MS).agree.certificate).raw;
    der[der.length - 1]! ^= 1;
    const before = await known();
    const altered = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;
    expect(await says(altered)).toMatchObject({ kind: 'refused' });
    expect(await known()).toBe(before);
  });

  it('changes nothing by the word of another device', async () => {
    const before = await known();
    const { certificate } = renewed(MINUTE_MS).agree;
    expect(await says(certificate, world.devices[1]!.device)).toEqual({ kind: 'refused', code: 'identity' });
    expect(await known()).toBe(before);
  });

  it('does not take a certificate of the time to come, and waits for it', async () => {
    const before = await known();
    const { certificate } = renewed(3 * DAY_MS).agree;
    expect(await says(certificate)).toEqual({ kind: 'later' });
    expect(await known()).toBe(before);
  });

  it('takes the newer one with a row of the audit, once, and no older one after it', async () => {
    const older = device.agree.certificate;
    const { certificate } = renewed(MINUTE_MS).agree;
    expect(await says(certificate)).toEqual({ kind: 'taken' });
    expect(await known()).toBe(derOf(certificate));
    expect(await says(certificate)).toEqual({ kind: 'taken' });
    expect(await rows()).toBe(1);
    // A repetition of what was true once: nothing to refuse, and nothing to do.
    expect(await says(older)).toEqual({ kind: 'taken' });
    expect(await known()).toBe(derOf(certificate));
    expect(await rows()).toBe(1);
  });

  it('keeps it where the operator’s own list still has the older one', async () => {
    const newest = await known();
    await office.reload();
    expect(await known()).toBe(newest);
  });

  it('seals the next command to it', async () => {
    const command = world.command('p1.set');
    office.field.behaves(everybodyAwake);
    await office.desk.propose({ device: device.device, signed: world.signed(command) });
    await office.field.awake(device.device);
    const { kid } = recipientOfCertificate(Buffer.from(await known(), 'base64'), device)!;
    const [sent] = office.field.commands();
    expect(Buffer.from(sent!.sealed).includes(Buffer.from(kid))).toBe(true);
  });

  it('shows which key that is, and until when', async () => {
    const { tls } = world.person('supervisor');
    const { json } = await ask(office.port, tls, `/v1/meters/${device.device}`);
    const der = Buffer.from(await known(), 'base64');
    const { kid } = recipientOfCertificate(der, device)!;
    expect(json.key).toEqual({
      kid: Buffer.from(kid).toString('hex'),
      notBefore: new X509Certificate(der).validFromDate.toISOString(),
      notAfter: new X509Certificate(der).validToDate.toISOString(),
    });
  });

  it('takes no key that was revoked, and over a revoked one the operator’s own list', async () => {
    const mine = renewed(2 * MINUTE_MS);
    expect(await says(mine.agree.certificate)).toEqual({ kind: 'taken' });
    revokeDevice(world.pki, mine, { nowMs: Date.now() });
    await office.reload();
    expect(await says(mine.agree.certificate)).toEqual({ kind: 'refused', code: 'revoked' });
    await office.reload();
    expect(await known()).toBe(derOf(device.agree.certificate));
  });
});
