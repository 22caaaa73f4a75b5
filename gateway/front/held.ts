import type { TenantId } from '../../protocol/identity.ts';
import type { UpKind } from '../../protocol/topics.ts';
import type { FrontLimits } from './limits.ts';
import type { Unanswered } from './reasons.ts';
import type { Session } from './session.ts';

type HeldLimits = Pick<
  FrontLimits,
  'heldPerClientMax' | 'heldPerTenantMax' | 'heldResultsPerTenantMax' | 'heldMax'
>;

interface OfOwner {
  all: number;
  /** Those that a desk has to take: results and events. */
  results: number;
}

/**
 * Counts the messages whose answer is awaited: per client, per owner and in all. They are counted until the bus
 * has answered or given up, even when their device has gone, since until then they take memory.
 */
export class HeldMessages {
  readonly #limits: HeldLimits;
  readonly #byOwner = new Map<TenantId, OfOwner>();
  #all = 0;

  constructor(limits: HeldLimits) {
    this.#limits = limits;
  }

  get all(): number {
    return this.#all;
  }

  of(owner: TenantId): number {
    return this.#byOwner.get(owner)?.all ?? 0;
  }

  /** Take a place, or say which bound is reached. */
  take(session: Session, owner: TenantId, kind: UpKind): Unanswered | undefined {
    const { heldPerClientMax, heldPerTenantMax, heldResultsPerTenantMax, heldMax } = this.#limits;
    const ofOwner = this.#of(owner);
    if (session.held >= heldPerClientMax) return 'held-client';
    if (ofOwner.all >= heldPerTenantMax) return 'held-tenant';
    if (kind !== 'index' && ofOwner.results >= heldResultsPerTenantMax) return 'held-results';
    if (this.#all >= heldMax) return 'held-all';
    session.held += 1;
    ofOwner.all += 1;
    if (kind !== 'index') ofOwner.results += 1;
    this.#all += 1;
    return undefined;
  }

  release(session: Session, owner: TenantId, kind: UpKind): void {
    const ofOwner = this.#of(owner);
    ofOwner.all -= 1;
    if (kind !== 'index') ofOwner.results -= 1;
    this.#all -= 1;
    session.release();
  }

  #of(owner: TenantId): OfOwner {
    let ofOwner = this.#byOwner.get(owner);
    if (ofOwner === undefined) {
      ofOwner = { all: 0, results: 0 };
      this.#byOwner.set(owner, ofOwner);
    }
    return ofOwner;
  }
}
