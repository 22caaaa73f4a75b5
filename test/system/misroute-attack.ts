import { expect } from 'vitest';
import type { DeviceIdentity } from '../../pki/trust.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { type UpKind, upTopic } from '../../protocol/topics.ts';
import { sendOnce } from '../support/line.ts';
import type { SealedMessage } from '../support/sealing.ts';
import {
  causeOf,
  delivered,
  type Effects,
  expectUnanswered,
  receiptOf,
  refusedBy,
  unopenedBy,
  type World,
} from './misroute-world.ts';

/** The topic of a device as that of a tenant, whether the device belongs there or not. */
export const topicOf = (tenant: TenantId, { device }: DeviceIdentity, kind: UpKind = 'index'): string =>
  upTopic(tenant, device, kind);

/** What the cases do: send one thing over TLS, and assert what it came to and why. */
export class Attack {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Send it and see it turned away without an answer, for this reason. */
  async expectTurnedAway(
    effects: Effects,
    as: DeviceIdentity,
    topic: string,
    { sealed }: SealedMessage,
  ): Promise<void> {
    const heard = await this.#world.expectEffects(effects, () =>
      sendOnce(as, this.#world.port, topic, sealed),
    );
    expectUnanswered(heard);
  }

  /** Send it and see the router fail to open it, for the cause given. */
  async expectUnopened(
    as: DeviceIdentity,
    topic: string,
    message: SealedMessage,
    cause: string,
  ): Promise<void> {
    const tenant = topic.split('/')[1] as TenantId;
    await this.expectTurnedAway(unopenedBy(tenant), as, topic, message);
    expect(causeOf(this.#world.field, topic, message.sealed)).toBe(cause);
  }

  /** Send it and see its owner refuse it with a receipt that only the owner can have made. */
  async expectRefusedBy(
    owner: TenantId,
    as: DeviceIdentity,
    message: SealedMessage,
    code: string,
    cause: string,
    issuers?: readonly TenantId[],
  ): Promise<void> {
    const topic = topicOf(owner, as);
    const heard = await this.#world.expectEffects(refusedBy(owner, code), () =>
      sendOnce(as, this.#world.port, topic, message.sealed),
    );
    expect(receiptOf(heard, message)).toMatchObject({ tenant: owner, verdict: 'refused', code });
    expect(causeOf(this.#world.field, topic, message.sealed, issuers)).toBe(cause);
  }

  async expectDelivered(owner: TenantId, as: DeviceIdentity): Promise<void> {
    const message = this.#world.seal(as, owner);
    this.#world.allow(owner, message);
    const heard = await this.#world.expectEffects(delivered(owner), () =>
      sendOnce(as, this.#world.port, topicOf(owner, as), message.sealed),
    );
    expect(receiptOf(heard, message)).toMatchObject({ tenant: owner, verdict: 'delivered' });
  }
}
