import { createPrivateKey, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import { CREDENTIAL_NAMES, type CredentialName } from '../../pki/enrolment/request.ts';
import { type DeviceIdentity, type Recipient, readNotice, recipientOf, withNotice } from '../../pki/trust.ts';
import { ECDSA_SHA256, parseCertificate } from '../../pki/x509/certificate.ts';
import { type KeyPair, newKeyPair } from '../../pki/x509/certify.ts';
import { contextTag, der, derBits, derOid, derUnsigned, TAG } from '../../pki/x509/der.ts';
import { readPem, toPem } from '../../pki/x509/pem.ts';
import { sealUplink } from '../../protocol/envelope.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { encodeDailyIndex } from '../../protocol/payload.ts';
import type { ObisCode } from '../../protocol/reading.ts';
import { readReceipt } from '../../protocol/receipt.ts';
import type { Kept, Ledger, Outcome, ReadingKey } from './year-ledger.ts';
import { DAY_MS, START_MS } from './year-plan.ts';
import type { YearWorld } from './year-world.ts';

/** A device of the year: its keys, what it has closed and not got rid of, and how it sends and renews. */

export interface Credential {
  readonly key: KeyObject;
  readonly certificate: Uint8Array;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}
export type Credentials = Readonly<Record<CredentialName, Credential>>;

export interface Reading {
  readonly owner: TenantId;
  readonly day: number;
  readonly sequence: number;
  readonly value: number;
}

interface Waiting extends Reading {
  readonly key: ReadingKey;
  readonly sealed: Uint8Array;
  readonly receiptKey: Uint8Array;
  readonly serial: string;
}

export const newDeviceName = (): DeviceId => randomBytes(8).toString('hex') as DeviceId;
/** Days that came before the year have numbers too. */
const SEQUENCE_OF_DAY_0 = 1_000;

export class YearDevice {
  readonly device: DeviceId;
  readonly home: TenantId;
  readonly owners: readonly TenantId[];
  readonly #world: YearWorld;
  readonly #ledger: Ledger;
  credentials: Credentials;
  /** Whether it is going to try again by itself. */
  trying = false;
  /** What it believes of its owners: what their notices said. */
  #identity: DeviceIdentity;
  /** Closed, and not sealed, since there is no certificate to sign under. */
  readonly #open: Reading[] = [];
  #waiting: Waiting[] = [];
  readonly #parked: ReadingKey[] = [];

  constructor(options: {
    readonly device: DeviceId;
    readonly home: TenantId;
    readonly guests: readonly TenantId[];
    readonly world: YearWorld;
    readonly ledger: Ledger;
    readonly code: string;
  }) {
    const { device, home, guests, world, ledger, code } = options;
    this.device = device;
    this.home = home;
    this.owners = [home, ...guests];
    this.#world = world;
    this.#ledger = ledger;
    this.credentials = enrolByCode({ device, home, world, ledger }, code);
    this.#identity = blankIdentity({ device, home, guests, root: world.root.certificatePem });
    for (const owner of this.owners) this.#take(owner, world.of(owner).sealing.notice);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  kept(): Kept {
    const keyOf = ({ owner, sequence }: Reading) => this.#keyOf(owner, sequence);
    return {
      device: this.device,
      pending: [...this.#waiting.map(({ key }) => key), ...this.#open.map(keyOf)],
      parked: this.#parked,
    };
  }

  /** A copy of all that is in its flash, in the hands of somebody else. */
  copied(): { readonly credentials: Credentials; readonly recorded: readonly Waiting[] } {
    return { credentials: this.credentials, recorded: this.recorded };
  }

  /** The last messages, as somebody who listens at the device has them. */
  recorded: readonly Waiting[] = [];

  /** A day is over, once, for each owner: sealed at once, or as soon as there is a certificate again. */
  close(day: number, value: number): void {
    for (const owner of this.owners) {
      const sequence = SEQUENCE_OF_DAY_0 + day;
      const key = this.#keyOf(owner, sequence);
      if (this.#ledger.closed.has(key)) continue;
      this.#ledger.closed.set(key, thousandths(value));
      this.#open.push({ owner, day, sequence, value });
    }
    this.#sealOpen();
  }

  #sealOpen(): void {
    const { notAfterMs } = this.credentials.sign;
    if (this.#world.nowMs > notAfterMs) return;
    for (const reading of this.#open.splice(0)) this.#waiting.push(this.#seal(reading));
  }

  #seal(reading: Reading): Waiting {
    const recipient = recipients.of(
      this.#world,
      reading.owner,
      this.#identity.owners[reading.owner]!.certificate,
    );
    return { ...reading, ...sealReading(this.device, reading, this.credentials.sign, recipient) };
  }

  /** One connection, by the certificate of TLS that is in use, and everything that waits. */
  async wake(): Promise<void> {
    this.#sealOpen();
    const { nowMs } = this.#world;
    const { tls } = this.credentials;
    const why = connect(this.#world, tls);
    this.#ledger.opened('front', { serial: tls.serial, atMs: nowMs, why });
    if (why !== null) return;
    const left: Waiting[] = [];
    for (const message of this.#waiting) {
      const { outcome, notice } = await send(this.#world, this.device, message);
      if (notice !== undefined) this.#take(message.owner, notice);
      this.#ledger.sent({ by: 'device', key: message.key, serial: message.serial, atMs: nowMs, outcome });
      if (outcome === 'later' || outcome === 'unanswered') left.push(message);
      else if (outcome.startsWith('refused')) this.#parked.push(message.key);
    }
    this.recorded = this.#waiting.length > 0 ? this.#waiting : this.recorded;
    this.#waiting = left;
  }

  /** The name of the key that it seals to. */
  sealsTo(owner: TenantId): string {
    return this.#identity.owners[owner]!.kid;
  }

  #take(owner: TenantId, notice: Uint8Array): void {
    this.#identity = withNotice(this.#identity, notices.of(this.#world, owner, notice));
  }

  /** Whether its operator has an issuing CA that came after the one of its certificates. */
  get isOfAFormerCa(): boolean {
    const [, issuer] = readPem('CERTIFICATE', this.#identity.owners[this.home]!.certificate);
    const { authorityKeyId } = parseCertificate(this.credentials.tls.certificate);
    return parseCertificate(issuer!).subjectKeyId !== authorityKeyId;
  }

  /** New keys for all three uses, by the certificate in use. @returns why not */
  renew(answerLost: boolean): string | null {
    const { device, home } = this;
    const peer = new X509Certificate(this.credentials.tls.certificate);
    const made: [CredentialName, Credential][] = [];
    try {
      for (const use of CREDENTIAL_NAMES) {
        const pair = newKeyPair();
        const request = requestOf(pair, device);
        const { enrolment } = this.#world.of(home).ca;
        const first = enrolment.again(use, peer, request);
        // It has written the key down and asks again: one certificate, however often.
        const issued = answerLost ? enrolment.again(use, peer, request) : first;
        if (issued.serial !== first.serial) this.#ledger.count('a lost answer was given anew');
        this.#ledger.issued(device, issued.serial);
        made.push([use, credentialOf(pair, issued.certificate)]);
      }
    } catch (error) {
      if (!isHesError(error)) throw error;
      return error.code;
    }
    this.credentials = Object.fromEntries(made) as unknown as Credentials;
    return null;
  }

  /** As from a blank device: three new keys by a code. */
  enrolAnew(code: string): void {
    const { device, home } = this;
    this.credentials = enrolByCode({ device, home, world: this.#world, ledger: this.#ledger }, code);
    for (const owner of this.owners) this.#take(owner, this.#world.of(owner).sealing.notice);
  }

  #keyOf(owner: TenantId, sequence: number): ReadingKey {
    return `${this.device}/${owner}/${sequence}`;
  }
}

/** Why a certificate does not open the front; null where it does. */
export function connect(world: YearWorld, { certificate }: Credential): string | null {
  try {
    world.connect(certificate);
    return null;
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.code;
  }
}

export async function send(
  world: YearWorld,
  device: DeviceId,
  message: Pick<Waiting, 'owner' | 'sequence' | 'sealed' | 'receiptKey'>,
): Promise<{ readonly outcome: Outcome; readonly notice?: Uint8Array }> {
  const { owner, sequence, sealed, receiptKey } = message;
  const answer = await world.uplink(owner, device, sealed);
  if (answer.kind === 'refused') return { outcome: 'unanswered' };
  const { notice } = answer;
  const receipt = readReceipt(receiptKey, answer.receipt, { tenant: owner, device, sequence });
  const outcome: Outcome = receipt.verdict === 'refused' ? `refused ${receipt.code}` : receipt.verdict;
  return notice === undefined ? { outcome } : { outcome, notice };
}

/** An index with one register, signed and sealed. */
export function sealReading(
  device: DeviceId,
  { owner, day, sequence, value }: Reading,
  { key, certificate, serial }: Credential,
  recipient: Recipient,
): {
  readonly key: ReadingKey;
  readonly sealed: Uint8Array;
  readonly receiptKey: Uint8Array;
  readonly serial: string;
} {
  const endMs = START_MS + (day + 1) * DAY_MS;
  const sealedUp = sealUplink({
    payload: encodeDailyIndex({
      version: 1,
      tenant: owner,
      device,
      sequence,
      day: new Date(endMs - DAY_MS).toISOString().slice(0, 10),
      capturedAt: { epochSeconds: endMs / 1_000 - 3_600, offsetMinutes: 60 },
      clock: 'synchronised',
      meters: [
        {
          medium: 'electricity',
          channel: 0,
          serial: '1SAG1100000292',
          ean: null,
          flags: 0,
          registers: [{ obis: '1-0:1.8.1' as ObisCode, value, scaler: 0, unit: 'Wh', time: null, flags: 0 }],
          profiles: [],
          peaks: [],
          extremes: [],
        },
      ],
    }),
    binding: { tenant: owner, device, kind: 'index' },
    recipient,
    signer: { privateKey: key, certificate },
  });
  return { key: `${device}/${owner}/${sequence}`, serial, ...sealedUp };
}

/** Checked up to the root once a day for each key, and not for each of a thousand devices. */
class Recipients {
  readonly #known = new Map<string, { readonly day: number; readonly recipient: Recipient }>();

  of({ nowMs, root }: YearWorld, tenant: TenantId, certificate: string): Recipient {
    const day = Math.floor(nowMs / DAY_MS);
    const known = this.#known.get(certificate);
    if (known?.day === day) return known.recipient;
    const recipient = recipientOf(certificate, { tenant, root: root.certificatePem, atMs: nowMs });
    this.#known.set(certificate, { day, recipient });
    return recipient;
  }
}
export const recipients = new Recipients();

/** The same for notices: what a device makes of one depends on itself, whether it holds does not. */
class Notices {
  readonly #known = new WeakMap<Uint8Array, ReturnType<typeof readNotice>>();

  of({ nowMs, root }: YearWorld, tenant: TenantId, notice: Uint8Array): ReturnType<typeof readNotice> {
    const known =
      this.#known.get(notice) ?? readNotice(notice, { tenant, root: root.certificatePem, atMs: nowMs });
    this.#known.set(notice, known);
    return known;
  }
}
const notices = new Notices();

/** A device that was just made, and believes nobody but the root. Its keys are kept beside (`credentials`). */
function blankIdentity(about: Pick<DeviceIdentity, 'device' | 'home' | 'guests' | 'root'>): DeviceIdentity {
  const none = {
    key: toPem('PRIVATE KEY', new Uint8Array()),
    certificate: toPem('CERTIFICATE', new Uint8Array()),
  };
  return { version: 1, ...about, tls: none, sign: none, agree: none, owners: {} };
}

/** Wh as kWh, as a record has it. */
const thousandths = (value: number): string => {
  const digits = String(value).padStart(4, '0');
  return `${digits.slice(0, -3)}.${digits.slice(-3)}`;
};

function enrolByCode(
  about: {
    readonly device: DeviceId;
    readonly home: TenantId;
    readonly world: YearWorld;
    readonly ledger: Ledger;
  },
  code: string,
): Credentials {
  const { device, home, world, ledger } = about;
  const { enrolment } = world.of(home).ca;
  const made = CREDENTIAL_NAMES.map((use) => {
    const pair = newKeyPair();
    const { certificate, serial } = enrolment.byCode(use, code, requestOf(pair, device));
    ledger.issued(device, serial);
    return [use, credentialOf(pair, certificate)] as const;
  });
  return Object.fromEntries(made) as unknown as Credentials;
}

export function credentialOf(pair: KeyPair, certificate: Uint8Array): Credential {
  const { serial, notBeforeMs, notAfterMs } = parseCertificate(certificate);
  return { key: createPrivateKey(pair.privateKeyPem), certificate, serial, notBeforeMs, notAfterMs };
}

const VERSION_0 = derUnsigned(Uint8Array.of(0));
const NO_ATTRIBUTES = der(contextTag(0, 'constructed'));

/** RFC 2986, as a maker of meters would write it: a name, a key, a signature, and nothing asked for. */
export function requestOf(pair: KeyPair, commonName: string): Uint8Array {
  const name = der(
    TAG.set,
    der(TAG.sequence, derOid('2.5.4.3'), der(TAG.utf8String, Buffer.from(commonName))),
  );
  const info = der(TAG.sequence, VERSION_0, der(TAG.sequence, name), pair.spki, NO_ATTRIBUTES);
  return der(TAG.sequence, info, ECDSA_SHA256, derBits(sign('sha256', info, pair.privateKeyPem)));
}
