import type { TenantId } from '../../protocol/identity.ts';
import type { Counters } from '../runtime/counters.ts';
import type { Log } from '../runtime/log.ts';
import type { Ending, Refusal, Unanswered } from './reasons.ts';

/**
 * Counts what happened, in all and, where the tenant is known, per tenant (`tenant.<id>.…`). At most one line of
 * debug log each: a refusal costs a stranger nothing, so it must not cost a disk anything.
 */
export class Tally {
  readonly #counters: Counters;
  readonly #log: Log;

  constructor(counters: Counters, log: Log) {
    this.#counters = counters;
    this.#log = log;
  }

  refused(reason: Refusal, tenant?: TenantId): void {
    this.#note(`refused.${reason}`, tenant);
  }

  unanswered(reason: Unanswered, tenant: TenantId): void {
    this.#note(`unanswered.${reason}`, tenant);
  }

  closed(reason: Ending, tenant: TenantId): void {
    this.#note(`closed.${reason}`, tenant);
  }

  /** A reading whose receipt went to its device. */
  receipted(tenant: TenantId): void {
    this.#counters.count('receipts');
    this.#counters.count(`tenant.${tenant}.receipts`);
  }

  count(name: 'handshakes.full' | 'handshakes.resumed' | 'crl.reloads' | 'crl.failures'): void {
    this.#counters.count(name);
  }

  #note(name: string, tenant: TenantId | undefined): void {
    this.#counters.count(name);
    if (tenant !== undefined) this.#counters.count(`tenant.${tenant}.${name}`);
    this.#log.debug({ reason: name, tenant }, 'turned away');
  }
}
