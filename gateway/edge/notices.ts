import { hash } from 'node:crypto';
import type { DeviceIdentity } from '../../pki/identity.ts';
import { type CheckedNotice, readNotice, withNotice } from '../../pki/trust.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Counters } from '../runtime/counters.ts';
import type { Log } from '../runtime/log.ts';
import { LruMap } from './lru.ts';

/** Seven tenants, each with the notice before the present one, and the same again. */
const NOTICES_KEPT_MAX = 32;

/** Devices of one process get the same few notices; to check one goes up to two roots and costs a millisecond. */
const checked = new LruMap<string, CheckedNotice>(NOTICES_KEPT_MAX);

export interface NoticesOptions {
  readonly device: DeviceIdentity['device'];
  readonly development: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: Counters;
  /** Read, change and write the identity in one step; false where it cannot be replaced (EdgeDevice.changeIdentity). */
  readonly change: (change: (now: DeviceIdentity) => DeviceIdentity) => boolean;
}

/**
 * The notices of a device's operators. What one says counts when it is on the disk, and not before; whatever somebody
 * sends that is none changes nothing.
 */
export class Notices {
  readonly #options: NoticesOptions;
  /** By tenant: said already that what came is no notice, until one is taken. A head-end may send it all day. */
  readonly #said = new Set<TenantId>();

  constructor(options: NoticesOptions) {
    this.#options = options;
  }

  /** What came by the topic of notices of a tenant; never throws for what a sender did, nor for a disk. */
  arrived(tenant: TenantId, signed: Uint8Array): void {
    const { device, change, counters, log } = this.#options;
    try {
      let taken = false;
      const kept = change((now) => {
        const next = withNotice(now, this.#check(now.root, tenant, signed));
        taken = next !== now;
        return next;
      });
      counters.count(`edge.notice.${taken ? 'taken' : kept ? 'known' : 'unkept'}`);
      if (!taken) return;
      this.#said.delete(tenant);
      log.info({ device, tenant }, 'an operator’s notice is in force here');
    } catch (error) {
      counters.count(`edge.notice.refused.${isHesError(error) ? error.code : 'ERR_UNEXPECTED'}`);
      if (!this.#said.has(tenant))
        log.warn({ err: error, device, tenant }, 'a notice is not taken: all stays as it was');
      this.#said.add(tenant);
    }
  }

  #check(root: string, tenant: TenantId, signed: Uint8Array): CheckedNotice {
    const { clock, development } = this.#options;
    const name = [tenant, development, hash('sha256', root), hash('sha256', signed)].join(' ');
    return checked.take(name, () => readNotice(signed, { tenant, root, atMs: clock.nowMs(), development }));
  }
}
