import { X509Certificate } from 'node:crypto';
import type { BusRequest } from '../../gateway/bus/port.ts';
import { loadSealingKey } from '../../pki/trust.ts';
import { openUplink, readSigner, type SealingKey, verifyUplink } from '../../protocol/envelope.ts';
import type { TenantId } from '../../protocol/identity.ts';

export interface KeyFiles {
  readonly certificate: string;
  readonly key: string;
}

/** Opens what it was sent with a key that it should not have, or should not use for this. */
export class Thief {
  readonly #tenant: TenantId;
  readonly #key: SealingKey;

  constructor(tenant: TenantId, files: KeyFiles) {
    this.#tenant = tenant;
    this.#key = loadSealingKey(files, { tenant, development: true });
  }

  /** The payload of a sealed index. */
  payloadOf({ device, body }: BusRequest): Uint8Array {
    const binding = { tenant: this.#tenant, device, kind: 'index' } as const;
    const { signed } = openUplink({ sealed: body, binding, keys: [this.#key] });
    const { publicKey } = new X509Certificate(readSigner(signed));
    return Uint8Array.from(verifyUplink({ signed, binding, publicKey }));
  }
}
