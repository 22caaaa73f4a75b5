import { decodeDeskAnswer, encodeAwake } from '../../protocol/downlink.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { TenantBus } from '../bus/port.ts';
import type { FrontLimits } from './limits.ts';
import type { Unheard } from './reasons.ts';
import type { Session } from './session.ts';
import type { Tally } from './tally.ts';

export interface AwakeRoad {
  readonly buses: ReadonlyMap<TenantId, TenantBus>;
  readonly tally: Tally;
  readonly limits: Pick<FrontLimits, 'awakeTimeoutMs' | 'awakePerTenantMax'>;
}

/**
 * Tells a tenant's desk that a device listens for its commands from now on.
 *
 * The SUBACK waits for the desk's answer, and the desk sends what waits for the device before it answers: so a device
 * that has its SUBACK has its first command, or there is none, and it need not linger. That is a help and no more:
 * without a desk, with a slow one, or beyond the bound the device is granted its subscription all the same.
 */
export class AwakeNotices {
  readonly #road: AwakeRoad;
  /** Notices under way, by tenant and then by session: a device that asks twice is told of once. */
  readonly #waiting = new Map<TenantId, Map<Session, Promise<void>>>();

  constructor(road: AwakeRoad) {
    this.#road = road;
    for (const tenant of road.buses.keys()) this.#waiting.set(tenant, new Map());
  }

  /** Notices whose answer is awaited. */
  of(tenant: TenantId): number {
    return this.#waiting.get(tenant)?.size ?? 0;
  }

  /** Resolves when the desk has answered or will not be waited for any longer; never rejects. */
  announce(session: Session, tenant: TenantId): Promise<void> {
    const waiting = this.#waiting.get(tenant)!;
    const underWay = waiting.get(session);
    if (underWay !== undefined) return underWay;
    if (waiting.size >= this.#road.limits.awakePerTenantMax) {
      this.#road.tally.unheard('bound', tenant);
      return Promise.resolve();
    }
    const notice = this.#ask(session, tenant).finally(() => waiting.delete(session));
    waiting.set(session, notice);
    return notice;
  }

  async #ask({ home, identity }: Session, tenant: TenantId): Promise<void> {
    const { buses, tally, limits } = this.#road;
    try {
      const request = {
        subject: 'desk.awake',
        device: identity.device,
        body: encodeAwake({ home }),
      } as const;
      decodeDeskAnswer(await buses.get(tenant)!.request(request, { deadlineMs: limits.awakeTimeoutMs }));
      tally.heard(tenant);
    } catch (error) {
      tally.unheard((isHesError(error) ? UNHEARD_BY_CODE[error.code] : undefined) ?? 'failed', tenant);
    }
  }
}

const UNHEARD_BY_CODE: Readonly<Record<string, Unheard>> = {
  ERR_BUS_NO_RESPONDERS: 'no-desk',
  ERR_BUS_TIMEOUT: 'timeout',
  ERR_BUS_OVERLOADED: 'overloaded',
  ERR_BUS_DISCONNECTED: 'disconnected',
  ERR_BUS_HANDLER: 'handler',
  ERR_BUS_CLOSED: 'closed',
  ERR_DOWNLINK: 'answer',
};
