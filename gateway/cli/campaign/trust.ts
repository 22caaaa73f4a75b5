import type { KeyObject } from 'node:crypto';
import { createOfficeTrust } from '../../../pki/office/trust.ts';
import { readPem } from '../../../pki/x509/pem.ts';
import type { Signer } from '../../../protocol/command/signers.ts';
import type { AtDesk } from '../desk-client/open.ts';
import { altered } from './altered.ts';

export type Trust = (certificate: Uint8Array) => {
  readonly publicKey: KeyObject;
  readonly signer: Signer;
};

/** Whom this side believes by itself, whatever a desk says: signers under its own office's root, of its own tenant. */
export function trustOf({ opened, person }: Pick<AtDesk, 'opened' | 'person'>): Trust {
  const { tenant, root } = opened;
  const [, issuing] = readPem('CERTIFICATE', person.identity.tls.certificate);
  const trust = createOfficeTrust({
    root,
    issuers: issuing === undefined ? [] : [{ tenant, certificate: issuing }],
    development: person.identity.development === true,
    clock: { nowMs: Date.now },
  });
  return (certificate) => {
    const { tenant: of, role, person: name, publicKey } = trust.signer(certificate);
    if (of !== tenant) throw altered('a signer is of another tenant');
    return { publicKey, signer: { role, person: name } };
  };
}
