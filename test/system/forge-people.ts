import { createPrivateKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { issuePerson } from '../../pki/office/generate.ts';
import {
  type OpenedOfficeIdentity,
  openOfficeIdentity,
  readOfficeIdentity,
  readPassphrase,
} from '../../pki/office/identity.ts';
import { authorityFromLeaf, makeIssuing, makeLeaf } from '../../pki/testing/field.ts';
import { DEVELOPMENT_ORGANIZATION, officeIssuingUri, personUri } from '../../pki/x509/names.ts';
import { derOf } from '../../pki/x509/pem.ts';
import { PROFILES } from '../../pki/x509/profiles.ts';
import type { Role } from '../../protocol/command/roles.ts';
import type { SignerKey } from '../../protocol/envelope.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { Field } from '../support/field.ts';

/** Who may sign for a meter, and what somebody who may not has to sign with. */

export const ORES = 'ores' as TenantId;
export const FARYS = 'farys' as TenantId;
export const RESA = 'resa' as TenantId;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The office of a field: its development people, and others that its CAs issue. */
export class Office {
  readonly #field: Field;

  constructor(field: Field) {
    this.#field = field;
  }

  /** One of those that `hes pki init` makes: called after his role. */
  person(role: Role, tenant: TenantId = ORES): OpenedOfficeIdentity {
    const place = this.#field.pki.layout.office.person(tenant, role);
    return openOfficeIdentity(readOfficeIdentity(place.identity), readPassphrase(place.passphrase));
  }

  signer(role: Role, tenant: TenantId = ORES): SignerKey {
    return this.person(role, tenant).signer;
  }

  /** Another certificate by the tenant's own CA: a person with two roles or two keys, or one of another time. */
  issued(
    name: { readonly role: Role; readonly person: string; readonly tenant?: TenantId },
    times: { readonly fromMs?: number; readonly throughMs?: number } = {},
  ): SignerKey {
    const { tenant = ORES } = name;
    const passphrase = randomBytes(16).toString('hex');
    const identity = issuePerson(this.#authority(tenant), {
      name: { ...name, tenant },
      root: this.#field.pki.office!.root,
      passphrase,
      notBeforeMs: Date.now() + (times.fromMs ?? -HOUR_MS),
      ...(times.throughMs === undefined ? {} : { notAfterMs: Date.now() + times.throughMs }),
    });
    return openOfficeIdentity({ ...identity, development: true }, passphrase).signer;
  }

  /** A CA that was taken over names a person of another tenant. */
  acrossTenants(by: TenantId, of: TenantId): SignerKey {
    return leafBy(this.#authority(by), of);
  }

  /** The chain goes on below a person: his certificate used as a CA. */
  belowPerson(role: Role): SignerKey {
    const { signer } = this.person(role);
    return leafBy(authorityFromLeaf({ ...leafShape(signer), der: signer.certificate }), ORES);
  }

  /** A CA that calls itself the tenant's office, signed by that office and not by its root. */
  belowIssuing(): SignerKey {
    const below = makeIssuing(this.#authority(ORES), ORES, {
      profile: PROFILES.officeIssuing,
      subject: { organization: DEVELOPMENT_ORGANIZATION, commonName: officeIssuingUri(ORES) },
      names: { uris: [officeIssuingUri(ORES)] },
      notBeforeMs: Date.now() - HOUR_MS,
    });
    return leafBy(below, ORES);
  }

  /** The field CA of the tenant signs a person: whoever enrols meters is nobody in the office. */
  byFieldCa(): SignerKey {
    return leafBy(this.#field.pki.authorities.get(ORES)!, ORES);
  }

  #authority(tenant: TenantId) {
    return this.#field.pki.office!.authorities.get(tenant)!;
  }
}

function leafBy(authority: Parameters<typeof makeLeaf>[0], tenant: TenantId): SignerKey {
  const name = { tenant, role: 'operator', person: 'operator' } as const;
  const { privateKey, der } = makeLeaf(authority, {
    profile: PROFILES.personSign,
    subject: { commonName: name.person },
    names: { uris: [personUri(name)] },
    notBeforeMs: Date.now() - HOUR_MS,
    notAfterMs: Date.now() + DAY_MS,
  });
  return { privateKey, certificate: der };
}

const leafShape = ({ privateKey }: SignerKey) => ({
  pem: '',
  keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  privateKey,
});

/** A key and its certificate out of PEM texts: of a device, a front, a desk. */
export const signerOf = ({
  key,
  certificate,
}: {
  readonly key: string;
  readonly certificate: string;
}): SignerKey => ({
  privateKey: createPrivateKey(key),
  certificate: derOf('CERTIFICATE', certificate),
});

/** What lies in the files of a server. */
export const signerOfFiles = (files: { readonly key: string; readonly certificate: string }): SignerKey =>
  signerOf({ key: readFileSync(files.key, 'utf8'), certificate: readFileSync(files.certificate, 'utf8') });

/** The operator of ores in an office that looks the same and was made by somebody else. */
export function strangeOperator(): SignerKey {
  const strange = new Field([ORES]);
  try {
    return new Office(strange).signer('operator');
  } finally {
    strange.remove();
  }
}
