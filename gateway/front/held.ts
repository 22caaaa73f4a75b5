import type { TenantId } from '../../protocol/identity.ts';
import type { FrontLimits } from './limits.ts';
import type { Unanswered } from './reasons.ts';
import type { Session } from './session.ts';

type HeldLimits = Pick<FrontLimits, 'heldPerClientMax' | 'heldPerTenantMax' | 'heldMax'>;

/**
 * Counts the messages whose answer is awaited: per client, per owner and in all. They are counted until the bus
 * has answered or given up, even when their device has gone, since until then they take memory.
 */
export class HeldMessages {
  readonly #limits: HeldLimits;
  readonly #byOwner = new Map<TenantId, number>();
  #all = 0;

  constructor(limits: HeldLimits) {
    this.#limits = limits;
  }

  get all(): number {
    return this.#all;
  }

  of(owner: TenantId): number {
    return this.#byOwner.get(owner) ?? 0;
  }

  /** Take a place, or say which bound is reached. */
  take(session: Session, owner: TenantId): Unanswered | undefined {
    const ofOwner = this.of(owner);
    if (session.held >= this.#limits.heldPerClientMax) return 'held-client';
    if (ofOwner >= this.#limits.heldPerTenantMax) return 'held-tenant';
    if (this.#all >= this.#limits.heldMax) return 'held-all';
    session.held += 1;
    this.#byOwner.set(owner, ofOwner + 1);
    this.#all += 1;
    return undefined;
  }

  release(session: Session, owner: TenantId): void {
    this.#byOwner.set(owner, this.of(owner) - 1);
    this.#all -= 1;
    session.release();
  }
}
