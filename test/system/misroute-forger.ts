import { createPrivateKey, randomBytes } from 'node:crypto';
import type { DeviceIdentity, KeyAndCertificate } from '../../pki/identity.ts';
import { authorityFromLeaf, type Leaf, makeIssuing, makeLeaf } from '../../pki/testing/field.ts';
import type { SigningAuthority } from '../../pki/x509/certify.ts';
import { DEVELOPMENT_ORGANIZATION, issuingUri } from '../../pki/x509/names.ts';
import { derOf } from '../../pki/x509/pem.ts';
import { PROFILES, type Profile } from '../../pki/x509/profiles.ts';
import { type DeviceId, deviceUri, type TenantId } from '../../protocol/identity.ts';
import { Field } from '../support/field.ts';

/**
 * Makes devices whose certificates are wrong in one thing each. What a tenant may do with its own issuing CA it does:
 * that CA is in the attacker's hands here, and must still be no way to another tenant.
 */
export class Forger {
  readonly #field: Field;
  /** A PKI that looks the same and was made by somebody else. */
  readonly #strange: Field;

  constructor(field: Field) {
    this.#field = field;
    this.#strange = new Field(field.tenants);
  }

  close(): void {
    this.#strange.remove();
  }

  /** Issued by its home, and named for the target alone: as if the home's CA could make the target's meters. */
  namesTargetOnly(home: TenantId, target: TenantId, device = newDevice()): DeviceIdentity {
    return this.#forged(this.#authority(home), home, device, [deviceUri(target, device)]);
  }

  /** Home and guest, each with another device id. */
  twoDeviceIds(home: TenantId, target: TenantId, device = newDevice()): DeviceIdentity {
    return this.#forged(this.#authority(home), home, device, [
      deviceUri(home, device),
      deviceUri(target, newDevice()),
    ]);
  }

  /** A device of the target by a CA that calls itself the target's and was signed by the home's. */
  ofOwnSubCa(home: TenantId, target: TenantId, device = newDevice()): DeviceIdentity {
    const subCa = makeIssuing(this.#authority(home), target, {
      subject: { organization: DEVELOPMENT_ORGANIZATION, commonName: issuingUri(target) },
      notBeforeMs: earlier(),
    });
    return this.#forged(subCa, target, device, [deviceUri(target, device)]);
  }

  /** A device of the target "issued" with the TLS key of an honest device of the home. */
  ofDeviceAsCa(home: TenantId, target: TenantId, device = newDevice()): DeviceIdentity {
    const { key, certificate } = this.#field.device(home, [target]).tls;
    const leaf = {
      der: derOf('CERTIFICATE', certificate),
      pem: certificate,
      keyPem: key,
      privateKey: createPrivateKey(key),
    };
    return this.#forged(authorityFromLeaf(leaf), target, device, [deviceUri(target, device)]);
  }

  /** A device with a guest, of tenants of the same names in the other PKI; it trusts this front. */
  ofStranger(home: TenantId, target: TenantId, device = newDevice()): DeviceIdentity {
    return { ...this.#strange.device(home, [target], device), ...this.#sealsHere(home, target) };
  }

  signatureForTls(home: TenantId, target: TenantId): DeviceIdentity {
    const carrier = this.#field.device(home, [target]);
    return { ...carrier, tls: carrier.sign };
  }

  agreementForTls(home: TenantId, target: TenantId): DeviceIdentity {
    const carrier = this.#field.device(home, [target]);
    return { ...carrier, tls: carrier.agree };
  }

  guestInSignatureOnly(carrier: DeviceIdentity): DeviceIdentity {
    return { ...carrier, tls: this.#field.device(carrier.home, [], carrier.device).tls };
  }

  guestInTlsOnly(carrier: DeviceIdentity): DeviceIdentity {
    return { ...carrier, sign: this.#field.device(carrier.home, [], carrier.device).sign };
  }

  anotherCarrier(home: TenantId, guest: TenantId): DeviceIdentity {
    return this.#field.device(home, [guest]);
  }

  #authority(tenant: TenantId): SigningAuthority {
    return this.#field.pki.authorities.get(tenant)!;
  }

  #sealsHere(...tenants: readonly TenantId[]): Pick<DeviceIdentity, 'root' | 'owners'> {
    const { root, owners } = this.#field.pki;
    return {
      root: root.pem,
      owners: Object.fromEntries(tenants.map((tenant) => [tenant, owners.get(tenant)!])),
    };
  }

  /** The issuing certificate goes along, so that a verifier that builds chains has all that it could want. */
  #forged(
    authority: SigningAuthority,
    home: TenantId,
    device: DeviceId,
    uris: readonly string[],
  ): DeviceIdentity {
    const leafOf = (profile: Profile): Leaf =>
      makeLeaf(authority, {
        profile,
        subject: { commonName: device },
        names: { uris },
        notBeforeMs: earlier(),
      });
    const alone = (leaf: Leaf): KeyAndCertificate => ({ key: leaf.keyPem, certificate: leaf.pem });
    const tls = leafOf(PROFILES.deviceTls);
    return {
      version: 1,
      device,
      home,
      guests: [],
      tls: { key: tls.keyPem, certificate: `${tls.pem}\n${authority.certificatePem}` },
      sign: alone(leafOf(PROFILES.deviceSign)),
      agree: alone(leafOf(PROFILES.deviceAgree)),
      ...this.#sealsHere(home),
    };
  }
}

const newDevice = (): DeviceId => randomBytes(8).toString('hex') as DeviceId;

/** Valid since a moment ago. */
const earlier = (): number => Date.now() - 60_000;
