import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Authority, createAuthority } from '../../../pki/ca/authority.ts';
import { openRegister, type Register } from '../../../pki/ca/register.ts';
import { CREDENTIAL_NAMES, CREDENTIALS } from '../../../pki/enrolment/request.ts';
import { createEnrolment } from '../../../pki/est/enrolment.ts';
import { type DeviceIdentity, parseDeviceIdentity } from '../../../pki/identity.ts';
import { DAY_MS, DEVICE, makeIssuing, makeLeaf, makeRoot, ORES } from '../../../pki/testing/field.ts';
import { sealingKid } from '../../../pki/trust.ts';
import { parseCertificate } from '../../../pki/x509/certificate.ts';
import { newKeyPair, type SigningAuthority } from '../../../pki/x509/certify.ts';
import { sealingUri } from '../../../pki/x509/names.ts';
import { toPem } from '../../../pki/x509/pem.ts';
import { PROFILES } from '../../../pki/x509/profiles.ts';
import type { RenewalServer, RenewalSession } from '../renewal/server.ts';

/** A CA with a register, a device of it, and the part of an EST server that decides: no socket in between. */
export interface RenewalWorld {
  readonly root: SigningAuthority;
  readonly issuing: SigningAuthority;
  readonly register: Register;
  readonly authority: Authority;
  readonly nowMs: () => number;
  /** Of a new device id each time it is not told. */
  enrol(): DeviceIdentity;
  server(hooks?: ServerHooks): RenewalServer;
  close(): void;
}

export interface ServerHooks {
  /** Before the server sees a request, and after it has answered: what is thrown here happened on the way. */
  readonly before?: (what: 'authorities' | 'reenroll') => void;
  readonly after?: (what: 'authorities' | 'reenroll') => void;
  readonly serverMs?: () => number | null;
  readonly answer?: (certificate: Uint8Array) => Uint8Array;
}

export function renewalWorld(nowMs: () => number): RenewalWorld {
  const folder = mkdtempSync(join(tmpdir(), 'hes-renewal-'));
  const since = { notBeforeMs: nowMs() - DAY_MS };
  const root = makeRoot(since);
  const issuing = makeIssuing(root, ORES, since);
  const register = openRegister({ path: join(folder, 'ca.db'), owner: ORES });
  const clock = { nowMs };
  const authority = createAuthority({ register, tenant: ORES, issuer: issuing, clock });
  const enrolment = createEnrolment({ authority, manufacturers: [], clock });
  const sealing = makeLeaf(issuing, {
    profile: PROFILES.sealing,
    subject: { commonName: sealingUri(ORES) },
    names: { uris: [sealingUri(ORES)] },
    ...since,
  });
  const kid = Buffer.from(sealingKid(parseCertificate(sealing.der).spki)).toString('hex');
  let devices = 0;
  return {
    root,
    issuing,
    register,
    authority,
    nowMs,
    enrol() {
      devices += 1;
      const device = (
        devices === 1 ? DEVICE : devices.toString(16).padStart(16, '0')
      ) as DeviceIdentity['device'];
      register.devices.add({ device, home: ORES, guests: [] }, 'test');
      const pairs = CREDENTIAL_NAMES.map((name) => {
        const pair = newKeyPair();
        const profile = CREDENTIALS[name].name;
        const issued = authority.issue({ profile, publicKey: pair.spki, name: { device }, by: 'test' });
        return [name, { key: pair.privateKeyPem, certificate: issued.pem }] as const;
      });
      return parseDeviceIdentity(
        JSON.stringify({
          version: 1,
          device,
          home: ORES,
          guests: [],
          ...Object.fromEntries(pairs),
          root: root.certificatePem,
          owners: { [ORES]: { kid, certificate: sealing.pem + issuing.certificatePem } },
        }),
      );
    },
    server: (hooks = {}) => ({
      connect: ({ tls }): RenewalSession => ({
        async authorities() {
          hooks.before?.('authorities');
          const certificates = [root.certificate.der, issuing.certificate.der];
          hooks.after?.('authorities');
          return { certificates, serverMs: hooks.serverMs === undefined ? nowMs() : hooks.serverMs() };
        },
        async reenroll(name, request) {
          hooks.before?.('reenroll');
          const peer = new X509Certificate(tls.certificate);
          const { certificate } = enrolment.again(name, peer, request);
          hooks.after?.('reenroll');
          return hooks.answer?.(certificate) ?? certificate;
        },
        close: () => undefined,
      }),
    }),
    close() {
      register.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const pemOf = (der: Uint8Array): string => toPem('CERTIFICATE', der);
