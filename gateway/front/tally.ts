import type { TenantId } from '../../protocol/identity.ts';
import type { Counters } from '../runtime/counters.ts';
import type { Log } from '../runtime/log.ts';
import type { Ending, Refusal, Unanswered, Undelivered, Unheard } from './reasons.ts';

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

  /** A command was written to the socket of its device; `tenant` is whose desk sent it. */
  commanded(tenant: TenantId): void {
    this.#counters.count('commands');
    this.#counters.count(`tenant.${tenant}.commands`);
  }

  undelivered(reason: Undelivered, tenant: TenantId): void {
    this.#note('undelivered', reason, tenant);
  }

  /** The desk of the tenant knows that a device listens. */
  heard(tenant: TenantId): void {
    this.#counters.count('heard');
    this.#counters.count(`tenant.${tenant}.heard`);
  }

  unheard(reason: Unheard, tenant: TenantId): void {
    this.#note('unheard', reason, tenant);
  }

  count(name: 'handshakes.full' | 'handshakes.resumed' | 'crl.reloads' | 'crl.failures'): void {
    this.#counters.count(name);
  }

  #note(
    what: 'refused' | 'unanswered' | 'closed' | 'undelivered' | 'unheard',
    reason: string,
    tenant: TenantId | undefined,
  ): void {
    this.#counters.count(`${what}.${reason}`);
    if (tenant !== undefined) this.#counters.count(`tenant.${tenant}.${what}`);
    this.#log.debug({ reason: `${what}.${reason}`, tenant }, 'turned away');
  }
}
