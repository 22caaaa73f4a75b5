import { X509Certificate } from 'node:crypto';
import { seededRandom } from '../../gateway/runtime/random.ts';
import { newKeyPair } from '../../pki/x509/certify.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import {
  type Credential,
  connect,
  credentialOf,
  recipients,
  requestOf,
  sealReading,
  send,
  type YearDevice,
} from './year-device.ts';
import type { Ledger } from './year-ledger.ts';
import { DAY_MS, START_MS } from './year-plan.ts';
import type { YearWorld } from './year-world.ts';

/** Numbers that no device gives to a day. */
const FORGED_FROM = 1_000_000;

/**
 * Somebody who has a copy of a device's flash: its keys, its certificates and its last messages. He tries every door,
 * and the routers without the front too, as one who holds the head-end would.
 */
export class Stranger {
  readonly #device: DeviceId;
  readonly #home: TenantId;
  readonly #owners: readonly TenantId[];
  readonly #world: YearWorld;
  readonly #ledger: Ledger;
  readonly #copied: ReturnType<YearDevice['copied']>;
  /** Certificates that he got for keys of his own, with the stolen one. */
  readonly #signers: Credential[];
  readonly #random: () => number;
  #forged = 0;

  constructor(victim: YearDevice, world: YearWorld, ledger: Ledger, seed: number) {
    this.#device = victim.device;
    this.#home = victim.home;
    this.#owners = victim.owners;
    this.#world = world;
    this.#ledger = ledger;
    this.#copied = victim.copied();
    this.#signers = [this.#copied.credentials.sign];
    this.#random = seededRandom(seed, 'stranger', victim.owners.length, world.nowMs);
  }

  async tryAll(): Promise<void> {
    this.#connect();
    if (this.#random() < 0.3) this.#renew();
    for (const signer of this.#signers) for (const owner of this.#owners) await this.#forge(owner, signer);
    for (const message of this.#copied.recorded) await this.#send(message);
  }

  #connect(): void {
    const { tls } = this.#copied.credentials;
    const why = connect(this.#world, tls);
    this.#ledger.opened('front (stranger)', { serial: tls.serial, atMs: this.#world.nowMs, why });
  }

  /** A certificate for a key of his own. */
  #renew(): void {
    const { tls } = this.#copied.credentials;
    const pair = newKeyPair();
    let why: string | null = null;
    try {
      const peer = new X509Certificate(tls.certificate);
      const { enrolment } = this.#world.of(this.#home).ca;
      const { certificate, serial } = enrolment.again('sign', peer, requestOf(pair, this.#device));
      this.#ledger.issued(this.#device, serial);
      this.#signers.push(credentialOf(pair, certificate));
    } catch (error) {
      if (!isHesError(error)) throw error;
      why = error.code;
    }
    // The CA asks its register, and knows of a revocation with the transaction that makes it.
    this.#ledger.opened('CA (stranger)', { serial: tls.serial, atMs: this.#world.nowMs, why });
    if (why === null && this.#ledger.isRevoked(tls.serial))
      this.#ledger.count('the CA renewed what it had revoked');
  }

  async #forge(owner: TenantId, signer: Credential): Promise<void> {
    this.#forged += 1;
    const day = Math.floor((this.#world.nowMs - START_MS) / DAY_MS) - 1;
    const reading = { owner, day, sequence: FORGED_FROM + this.#forged, value: 1 };
    const recipient = recipients.of(this.#world, owner, this.#world.of(owner).sealing.certificate);
    const sealed = sealReading(this.#device, reading, signer, recipient);
    const serial = signer.serial;
    if (!this.#ledger.isTakenBack(serial, this.#world.nowMs)) this.#ledger.forged.add(sealed.key);
    await this.#send({ ...reading, ...sealed });
  }

  async #send(message: ReturnType<YearDevice['copied']>['recorded'][number]): Promise<void> {
    const { outcome } = await send(this.#world, this.#device, message);
    const { key, serial } = message;
    this.#ledger.sent({ by: 'stranger', key, serial, atMs: this.#world.nowMs, outcome });
  }
}
