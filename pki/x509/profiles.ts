/**
 * What each kind of certificate may be used for: one row each, read by the issuer and by the verifier,
 * so that the two cannot drift apart.
 */

/** RFC 5280 §4.2.1.3, as bit numbers. */
const KEY_USAGE = { digitalSignature: 0, keyAgreement: 4, keyCertSign: 5, cRLSign: 6 } as const;
export type KeyUsage = keyof typeof KEY_USAGE;

/** X.667: an arc that needs no registration, under a UUID drawn for this system. */
const ARC = '2.25.15042618541555318348402119509486287446';

/**
 * RFC 5280 §4.2.1.12. Keys that serve no TLS carry a purpose of our own, because a certificate without any
 * passes for every purpose: OpenSSL would let a signature certificate log in as a TLS client.
 */
export const PURPOSE = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  deviceSignature: `${ARC}.1`,
  deviceAgreement: `${ARC}.2`,
  sealing: `${ARC}.3`,
  commandSignature: `${ARC}.4`,
} as const;
export type Purpose = keyof typeof PURPOSE;

export interface Profile {
  readonly name: string;
  /** The number of CAs that may follow below, for a CA; null for an end entity. */
  readonly pathLength: number | null;
  readonly keyUsage: readonly KeyUsage[];
  /** For an end entity exactly its purposes; for an issuing CA the purposes it may pass on. None: no extension. */
  readonly purposes: readonly Purpose[];
  readonly validityDays: number;
}

const CA_USAGE = ['keyCertSign', 'cRLSign'] as const;

/**
 * Days: a CA outlives what it issues; a device's five years are a third of a meter's life, and renewal is
 * foreseen long before. The purposes of an issuing CA keep a tenant's CA from passing for the front
 * (no serverAuth) and the head-end's CA from passing for a meter (no clientAuth). Field and office have no purpose in
 * common but those of TLS, and there the roots tell them apart. A person's certificates end soon: a meter has no
 * revocation list of the office, so their end is the last thing that it knows of a lost key (docs/adr/0150).
 */
export const PROFILES = {
  root: { name: 'root', pathLength: 1, keyUsage: CA_USAGE, purposes: [], validityDays: 7305 },
  issuing: {
    name: 'issuing',
    pathLength: 0,
    keyUsage: CA_USAGE,
    purposes: ['clientAuth', 'deviceSignature', 'deviceAgreement', 'sealing'],
    validityDays: 3653,
  },
  headEnd: {
    name: 'headEnd',
    pathLength: 0,
    keyUsage: CA_USAGE,
    purposes: ['serverAuth'],
    validityDays: 3653,
  },
  frontServer: {
    name: 'frontServer',
    pathLength: null,
    keyUsage: ['digitalSignature'],
    purposes: ['serverAuth'],
    validityDays: 1826,
  },
  deviceTls: {
    name: 'deviceTls',
    pathLength: null,
    keyUsage: ['digitalSignature'],
    purposes: ['clientAuth'],
    validityDays: 1826,
  },
  deviceSign: {
    name: 'deviceSign',
    pathLength: null,
    keyUsage: ['digitalSignature'],
    purposes: ['deviceSignature'],
    validityDays: 1826,
  },
  deviceAgree: {
    name: 'deviceAgree',
    pathLength: null,
    keyUsage: ['keyAgreement'],
    purposes: ['deviceAgreement'],
    validityDays: 1826,
  },
  sealing: {
    name: 'sealing',
    pathLength: null,
    keyUsage: ['keyAgreement'],
    purposes: ['sealing'],
    validityDays: 1826,
  },
  officeRoot: { name: 'officeRoot', pathLength: 1, keyUsage: CA_USAGE, purposes: [], validityDays: 7305 },
  officeIssuing: {
    name: 'officeIssuing',
    pathLength: 0,
    keyUsage: CA_USAGE,
    purposes: ['serverAuth', 'clientAuth', 'commandSignature'],
    validityDays: 3653,
  },
  deskServer: {
    name: 'deskServer',
    pathLength: null,
    keyUsage: ['digitalSignature'],
    purposes: ['serverAuth'],
    validityDays: 1826,
  },
  personTls: {
    name: 'personTls',
    pathLength: null,
    keyUsage: ['digitalSignature'],
    purposes: ['clientAuth'],
    validityDays: 398,
  },
  personSign: {
    name: 'personSign',
    pathLength: null,
    keyUsage: ['digitalSignature'],
    purposes: ['commandSignature'],
    validityDays: 398,
  },
} as const satisfies Record<string, Profile>;
export type ProfileName = keyof typeof PROFILES;

/** The KeyUsage BIT STRING's value octets, bit 0 first, trailing zero bits dropped (DER). */
export function keyUsageOctets(usages: readonly KeyUsage[]): {
  readonly unused: number;
  readonly octet: number;
} {
  const bits = usages.map((usage) => KEY_USAGE[usage]);
  return { unused: 7 - Math.max(...bits), octet: bits.reduce<number>((sum, bit) => sum | (0x80 >> bit), 0) };
}
