import type { TenantId } from '../../protocol/identity.ts';
import type { Counters } from '../runtime/counters.ts';
import type { Log } from '../runtime/log.ts';
import type { Ending, Refusal, Unanswered } from './reasons.ts';

/**
 * Counts what happened: by reason in all, and as a sum per tenant where the tenant is known, so that the number of
 * names stays bounded. At most one line of debug log each: a refusal costs a stranger nothing, so it must not cost
 * a disk anything.
 */
export class Tally {
  readonly #counters: Counters;
  readonly #log: Log;

  constructor(counters: Counters, log: Log) {
    this.#counters = counters;
    this.#log = log;
  }

  /** `tenant`: the home of the device, once its certificate has told it. */
  refused(reason: Refusal, tenant?: TenantId): void {
    this.#note('refused', reason, tenant);
  }

  /** `tenant`: the owner of the message. */
  unanswered(reason: Unanswered, tenant: TenantId): void {
    this.#note('unanswered', reason, tenant);
  }

  /** `tenant`: the home of the device. */
  closed(reason: Ending, tenant: TenantId): void {
    this.#note('closed', reason, tenant);
  }

  /** A reading whose receipt went to its device; `tenant` is its owner. */
  receipted(tenant: TenantId): void {
    this.#counters.count('receipts');
    this.#counters.count(`tenant.${tenant}.receipts`);
  }

  count(name: 'handshakes.full' | 'handshakes.resumed' | 'crl.reloads' | 'crl.failures'): void {
    this.#counters.count(name);
  }

  #note(what: 'refused' | 'unanswered' | 'closed', reason: string, tenant: TenantId | undefined): void {
    this.#counters.count(`${what}.${reason}`);
    if (tenant !== undefined) this.#counters.count(`tenant.${tenant}.${what}`);
    this.#log.debug({ reason: `${what}.${reason}`, tenant }, 'turned away');
  }
}
