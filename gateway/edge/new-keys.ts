import { X509Certificate } from 'node:crypto';
import type { DeviceIdentity } from '../../pki/identity.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { Clock } from '../runtime/clock.ts';

/**
 * A desk that takes no word of a new key may have been told of the CA behind it too late, or have no such meter yet:
 * it is asked again, and until then goes on with the key that it has, which the device still opens with.
 */
const REFUSED_REST_MS = 6 * 3_600_000;

export interface NewKeysOptions {
  readonly identity: () => DeviceIdentity;
  readonly clock: Clock;
  /** Put a changed identity in the place of the present one; see EdgeDevice.changeIdentity. */
  readonly change: (change: (now: DeviceIdentity) => DeviceIdentity) => void;
}

/** A certificate that a desk is owed, with the number of the message that brings it. */
export interface OwedKey {
  readonly owner: TenantId;
  readonly sequence: number;
  /** DER. */
  certificate(): Uint8Array;
}

/**
 * Which desks are to be told of the device's new key-agreement key. That is kept in the identity itself, which changes
 * with the key in one write: a power cut loses neither. Read once, and again when the identity has changed.
 */
export class NewKeys {
  readonly #options: NewKeysOptions;
  readonly #restUntilMs = new Map<TenantId, number>();
  /** The certificate that this process has told each of: a disk that takes no writes makes it no chatterer. */
  readonly #told = new Map<TenantId, string>();
  #known: { readonly pem: string; readonly owed: readonly OwedKey[] } | null = null;
  #lastSequence = 0;

  constructor(options: NewKeysOptions) {
    this.#options = options;
  }

  /** Home first, then guests; without those that refused a moment ago. */
  owed(): readonly OwedKey[] {
    this.#known ??= this.#read();
    const { owed } = this.#known;
    if (owed.length === 0 || this.#restUntilMs.size === 0) return owed;
    const nowMs = this.#options.clock.nowMs();
    return owed.filter(({ owner }) => {
      const untilMs = this.#restUntilMs.get(owner) ?? 0;
      // A clock that was put right must not silence it for longer.
      return untilMs <= nowMs || untilMs - nowMs > REFUSED_REST_MS;
    });
  }

  /** The desk has answered for good. A key that took the place of this one since is still owed. */
  answered(owed: OwedKey, verdict: 'delivered' | 'duplicate' | 'refused'): void {
    const { clock, change } = this.#options;
    const { owner } = owed;
    if (verdict === 'refused') {
      this.#restUntilMs.set(owner, clock.nowMs() + REFUSED_REST_MS);
      return;
    }
    if (this.#known?.owed.includes(owed) !== true) return;
    const { pem } = this.#known;
    this.#told.set(owner, pem);
    this.#known = null;
    change((now) => {
      if (pem !== now.agree.certificate || !now.untold?.includes(owner)) return now;
      const { untold, ...rest } = now;
      const left = untold.filter((tenant) => tenant !== owner);
      return left.length === 0 ? rest : { ...rest, untold: left };
    });
  }

  /** The identity may be another. */
  changed(): void {
    this.#known = null;
  }

  #read(): { readonly pem: string; readonly owed: readonly OwedKey[] } {
    const { untold = [], agree } = this.#options.identity();
    const tenants = untold.filter((owner) => this.#told.get(owner) !== agree.certificate);
    const owed = tenants.map((owner): OwedKey => {
      this.#lastSequence = Math.max(this.#lastSequence + 1, Math.floor(this.#options.clock.nowMs()));
      const sequence = this.#lastSequence;
      return { owner, sequence, certificate: () => new X509Certificate(agree.certificate).raw };
    });
    return { pem: agree.certificate, owed };
  }
}
