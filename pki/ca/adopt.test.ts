import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import {
  createDevelopmentPki,
  type DevelopmentPki,
  issueDevice,
  revokeDevice,
} from '../development/development.ts';
import { newDeviceKey, renewalRequest } from '../device.ts';
import { CREDENTIAL_NAMES } from '../enrolment/request.ts';
import { createEnrolment } from '../est/enrolment.ts';
import type { DeviceIdentity } from '../identity.ts';
import { derOf } from '../x509/pem.ts';
import { adoptDevice } from './adopt.ts';
import { type TenantAuthorities, tenantAuthorities } from './open.ts';

/** Devices of a development PKI that were issued before there was a register. */

const ORES = 'ores' as TenantId;
const FARYS = 'farys' as TenantId;
const clock = { nowMs: Date.now };

let directory: string;
let pki: DevelopmentPki;
let ores: TenantAuthorities;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hes-adopt-'));
  pki = createDevelopmentPki({
    directory: join(directory, 'pki'),
    tenants: [ORES, FARYS],
    nowMs: Date.now(),
  });
  ores = tenantAuthorities({ ...pki, development: true }, ORES, clock);
});
afterAll(() => {
  ores.register.close();
  rmSync(directory, { recursive: true });
});

const device = (home = ORES, guests: readonly TenantId[] = [FARYS]) =>
  issueDevice(pki, { home, guests, nowMs: Date.now() });

const adopt = (der: Uint8Array): void =>
  adoptDevice(ores.field, der, { crlFile: pki.layout.crl(ORES), nowMs: Date.now(), by: 'est' });

const codeOf = (act: () => unknown): string => {
  try {
    act();
    return 'none';
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.code;
  }
};
const der = (pem: string): Uint8Array => derOf('CERTIFICATE', pem);

describe('a device that the register does not have', () => {
  it.each<[string, () => Uint8Array]>([
    ['of another tenant', () => der(device(FARYS, [ORES]).tls.certificate)],
    ['by its signature certificate', () => der(device().sign.certificate)],
    [
      'that was revoked before there was a register',
      () => {
        const revoked = device();
        revokeDevice(pki, revoked, { nowMs: Date.now() });
        return der(revoked.tls.certificate);
      },
    ],
    [
      'whose certificate was altered',
      () => {
        const altered = Buffer.from(der(device().tls.certificate));
        altered[altered.length - 1]! ^= 1;
        return altered;
      },
    ],
  ])('is not entered: %s', (_, certificate) => {
    const rows = ores.register.certificates.list({ limit: 100 }).length;
    expect(codeOf(() => adopt(certificate()))).toMatch(/^ERR_(EST_CLIENT|CA_CERTIFICATE|TRUST_MALFORMED)$/);
    expect(ores.register.certificates.list({ limit: 100 })).toHaveLength(rows);
  });

  it('is entered once, with the tenants of its certificate', () => {
    const own = device();
    adopt(der(own.tls.certificate));
    adopt(der(own.tls.certificate));
    expect(ores.register.devices.find(own.device)).toMatchObject({ home: ORES, guests: [FARYS] });
  });
});

describe('the renewal of such a device', () => {
  const enrolment = (hook?: typeof adopt) =>
    createEnrolment({
      authority: ores.field,
      manufacturers: [],
      clock,
      ...(hook === undefined ? {} : { adopt: hook }),
    });

  it('is refused where nobody adopts it', async () => {
    const own = device();
    const { tls } = own;
    const request = await requestOf(own);
    expect(codeOf(() => enrolment().again('tls', new X509Certificate(tls.certificate), request))).toBe(
      'ERR_EST_CLIENT',
    );
  });

  it.each(CREDENTIAL_NAMES)(
    'gives it its first registered certificate for %s, and the next by that',
    async (use) => {
      const own = device();
      const { tls } = own;
      const request = await requestOf(own);
      const peer = new X509Certificate(tls.certificate);
      const first = enrolment(adopt).again(use, peer, request);
      expect(new X509Certificate(first.certificate).subjectAltName).toBe(peer.subjectAltName);
      expect(enrolment(adopt).again(use, peer, request).serial).toBe(first.serial);
      const second = enrolment(adopt).again(use, peer, await requestOf(own));
      expect(second.serial === first.serial).toBe(false);
    },
  );

  it('is refused once the device was revoked', async () => {
    const own = device();
    const { device: id, tls } = own;
    adopt(der(tls.certificate));
    ores.field.revokeDevice(id, { reason: 'keyCompromise', by: 'test' });
    const request = await requestOf(own);
    const peer = new X509Certificate(tls.certificate);
    expect(codeOf(() => enrolment(adopt).again('sign', peer, request))).toMatch(
      /^ERR_(EST_CLIENT|CA_DEVICE)$/,
    );
  });
});

/** Of a new key. */
const requestOf = (identity: DeviceIdentity): Promise<Uint8Array> =>
  renewalRequest(identity, 'tls', newDeviceKey());
