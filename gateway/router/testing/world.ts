import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createDevelopmentPki,
  type DevelopmentPki,
  type DeviceIdentity,
  issueDevice,
} from '../../../pki/development/development.ts';
import { createDeviceTrust, type DeviceTrust, loadSealingKey, recipientOf } from '../../../pki/trust.ts';
import { derOf } from '../../../pki/x509/pem.ts';
import { type SealingKey, type SignerKey, sealUplink } from '../../../protocol/envelope.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { encodeDailyIndex } from '../../../protocol/payload.ts';
import type { DailyIndex } from '../../../protocol/reading.ts';
import type { UpKind } from '../../../protocol/topics.ts';

/** A development PKI in a temporary folder, devices, and what they seal: for tests and benchmarks of the router. */
export interface World {
  readonly pki: DevelopmentPki;
  readonly directory: string;
  device(home: TenantId, ...guests: TenantId[]): DeviceIdentity;
  seal(identity: DeviceIdentity, sent: Sent): { sealed: Uint8Array; receiptKey: Uint8Array };
  /** What a device signs its messages and outcomes with. */
  signer(identity: DeviceIdentity): SignerKey;
  trust(tenant: TenantId, issuers?: readonly TenantId[]): DeviceTrust;
  sealingKey(tenant: TenantId): SealingKey;
  remove(): void;
}

export interface Sent {
  readonly payload: DailyIndex | Uint8Array;
  readonly owner: TenantId;
  /** Where the envelope says that it belongs, where that is not the truth. */
  readonly kind?: UpKind;
  readonly signAs?: DeviceIdentity;
}

const signerOf = ({ sign }: DeviceIdentity): SignerKey => ({
  privateKey: createPrivateKey(sign.key),
  certificate: derOf('CERTIFICATE', sign.certificate),
});

export function createWorld(tenants: readonly TenantId[]): World {
  const directory = mkdtempSync(join(tmpdir(), 'hes-router-'));
  const pki = createDevelopmentPki({ directory: join(directory, 'pki'), tenants, nowMs: Date.now() });
  const kidOf = (tenant: TenantId): string => pki.owners.get(tenant)!.kid;
  return {
    pki,
    directory,
    device: (home, ...guests) => issueDevice(pki, { home, guests, nowMs: Date.now() }),
    seal(identity, { payload, owner, kind = 'index', signAs = identity }) {
      const atMs = Date.now();
      const { root, owners } = identity;
      const recipient = recipientOf(owners[owner]!.certificate, {
        tenant: owner,
        root,
        atMs,
        development: true,
      });
      return sealUplink({
        payload: payload instanceof Uint8Array ? payload : encodeDailyIndex(payload),
        binding: { tenant: owner, device: identity.device, kind },
        recipient,
        signer: signerOf(signAs),
      });
    },
    signer: signerOf,
    trust: (tenant, issuers = [tenant]) =>
      createDeviceTrust({
        tenant,
        root: pki.root.pem,
        issuers: issuers.map((issuer) => ({
          tenant: issuer,
          certificate: readFileSync(pki.layout.issuing(issuer).certificate, 'utf8'),
        })),
        crls: issuers.map((issuer) => readFileSync(pki.layout.crl(issuer), 'utf8')),
        development: true,
      }),
    sealingKey: (tenant) =>
      loadSealingKey(pki.layout.sealing(tenant, kidOf(tenant)), { tenant, development: true }),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
