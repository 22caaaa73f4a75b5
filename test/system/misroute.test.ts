import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { subscribe } from '../../gateway/front/testing/wire.ts';
import type { DeviceIdentity } from '../../pki/trust.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { downTopic, type UpKind, upTopic } from '../../protocol/topics.ts';
import { PAIRS, TENANTS } from '../support/field.ts';
import { dial, heardOn, publishOn, sendOnce } from '../support/line.ts';
import type { SealedMessage } from '../support/sealing.ts';
import { Forger } from './misroute-forger.ts';
import {
  causeOf,
  delivered,
  type Effects,
  expectUnanswered,
  receiptOf,
  refusedBy,
  turnedAway,
  unopenedBy,
  World,
} from './misroute-world.ts';

/**
 * The product cannot misroute (ARCHITECTURE, "the four cannots"): every tenant against every other, through the real
 * front over TLS. Each case asserts everything that it changed in front, routers and MDMs, so a refusal for another
 * reason than its own fails; and at the end each MDM holds exactly the records that were honest.
 */
let world: World;
let forger: Forger;

beforeAll(async () => {
  world = await World.create();
  forger = new Forger(world.field);
});
afterAll(async () => {
  forger.close();
  await world.close();
});

const index = (tenant: TenantId, { device }: DeviceIdentity, kind: UpKind = 'index'): string =>
  upTopic(tenant, device, kind);

/** Send it and see it turned away without an answer, for this reason. */
async function expectTurnedAway(
  effects: Effects,
  as: DeviceIdentity,
  topic: string,
  { sealed }: SealedMessage,
): Promise<void> {
  expectUnanswered(await world.expectEffects(effects, () => sendOnce(as, world.port, topic, sealed)));
}

/** Send it and see the router fail to open it, for the cause given. */
async function expectUnopened(
  as: DeviceIdentity,
  topic: string,
  message: SealedMessage,
  cause: string,
): Promise<void> {
  const tenant = topic.split('/')[1] as TenantId;
  await expectTurnedAway(unopenedBy(tenant), as, topic, message);
  expect(causeOf(world.field, topic, message.sealed)).toBe(cause);
}

/** Send it and see its owner refuse it with a receipt that only the owner can have made. */
async function expectRefusedBy(
  owner: TenantId,
  as: DeviceIdentity,
  message: SealedMessage,
  code: string,
  cause: string,
): Promise<void> {
  const topic = index(owner, as);
  const heard = await world.expectEffects(refusedBy(owner, code), () =>
    sendOnce(as, world.port, topic, message.sealed),
  );
  expect(receiptOf(heard, message)).toMatchObject({ tenant: owner, verdict: 'refused', code });
  expect(causeOf(world.field, topic, message.sealed)).toBe(cause);
}

async function expectDelivered(owner: TenantId, as: DeviceIdentity): Promise<void> {
  const message = world.seal(as, owner);
  world.allow(owner, message);
  const heard = await world.expectEffects(delivered(owner), () =>
    sendOnce(as, world.port, index(owner, as), message.sealed),
  );
  expect(receiptOf(heard, message)).toMatchObject({ tenant: owner, verdict: 'delivered' });
}

/** A tenant that is neither of the two. */
const third = (one: TenantId, other: TenantId): TenantId =>
  TENANTS.find((tenant) => tenant !== one && tenant !== other)!;

describe('honest messages pass', () => {
  it.each(TENANTS)('a device of %s delivers to it', (home) => expectDelivered(home, world.plain(home)));

  it.each(PAIRS)('a device of %s delivers a guest meter to its owner %s', (home, guest) =>
    expectDelivered(guest, world.carrier(home, guest)),
  );

  it.each(PAIRS)('a device of %s with a guest of %s still delivers to its home', (home, guest) =>
    expectDelivered(home, world.carrier(home, guest)),
  );
});

describe('topic', () => {
  it.each(PAIRS)('a device of %s may not publish to %s', async (home, target) => {
    const device = world.plain(home);
    await expectTurnedAway(turnedAway('tenant'), device, index(target, device), world.seal(device, target));
  });

  it.each(PAIRS)(
    "a device of %s may not publish as a device of %s on the other's topic",
    async (home, target) => {
      const victim = world.plain(target);
      await expectTurnedAway(
        turnedAway('device'),
        world.plain(home),
        index(target, victim),
        world.seal(victim, target),
      );
    },
  );

  it.each(PAIRS)('a device of %s may not bring home the topic of a device of %s', async (home, target) => {
    const victim = world.plain(target);
    await expectTurnedAway(
      turnedAway('device'),
      world.plain(home),
      index(home, victim),
      world.seal(victim, home),
    );
  });

  it.each(PAIRS)(
    'a device of %s may not connect under the client id of a device of %s',
    async (home, target) => {
      const meter = await world.expectEffects(turnedAway('client-id'), () =>
        dial(world.plain(home), world.port, world.plain(target).device),
      );
      await meter.untilClosed();
      expect(heardOn(meter).connack).toBe(2);
    },
  );

  const filters: readonly (readonly [string, string, (home: TenantId, target: TenantId) => string])[] = [
    [
      'its own receipts of another tenant',
      'tenant',
      (home, target) => downTopic(target, world.plain(home).device, 'receipt'),
    ],
    [
      "another tenant's device's receipts",
      'device',
      (_home, target) => downTopic(target, world.plain(target).device, 'receipt'),
    ],
    [
      "another tenant's device's commands",
      'device',
      (_home, target) => downTopic(target, world.plain(target).device, 'command'),
    ],
    ['all that another tenant sends', 'wildcard', (_home, target) => `t/${target}/+/up/index`],
    ['a share of what another tenant sends', 'share', (_home, target) => `$share/g/t/${target}/#`],
  ];
  for (const [what, reason, filterOf] of filters)
    it.each(PAIRS)(`a device of %s may not subscribe to ${what}: %s`, async (home, target) => {
      const meter = await dial(world.plain(home), world.port);
      await world.expectEffects(turnedAway(reason), async () => {
        meter.send(subscribe(filterOf(home, target)));
        await meter.until(() => meter.of(SUBACK).length > 0);
      });
      expect(meter.of(SUBACK).map((body) => body[2])).toEqual([SUBSCRIPTION_REFUSED]);
      await meter.leave();
    });
});

const SUBACK = 0x90;
const SUBSCRIPTION_REFUSED = 0x80;

describe('TLS certificate', () => {
  const forgeries: readonly (readonly [
    string,
    string,
    (forger: Forger, home: TenantId, target: TenantId) => DeviceIdentity,
  ])[] = [
    ['that names the target only', 'certificate-identity', (by, ...pair) => by.namesTargetOnly(...pair)],
    ['with two device ids', 'certificate-identity', (by, ...pair) => by.twoDeviceIds(...pair)],
    ['of a CA that it made under its own', 'certificate-untrusted', (by, ...pair) => by.ofOwnSubCa(...pair)],
    [
      'of a CA that was made of a device certificate',
      'certificate-untrusted',
      (by, ...pair) => by.ofDeviceAsCa(...pair),
    ],
    ['of a strange PKI', 'certificate-untrusted', (by, ...pair) => by.ofStranger(...pair)],
    ['for signatures', 'certificate-profile', (by, ...pair) => by.signatureForTls(...pair)],
    ['for key agreement', 'certificate-profile', (by, ...pair) => by.agreementForTls(...pair)],
  ];
  for (const [what, reason, forge] of forgeries)
    it.each(PAIRS)(`from %s does not open the door to %s: one ${what}`, async (home, target) => {
      const forged = forge(forger, home, target);
      await expectTurnedAway(
        turnedAway(reason),
        forged,
        index(target, forged),
        world.seal(world.plain(target), target, { binding: { device: forged.device } }),
      );
    });
});

describe('guest channel', () => {
  it.each(PAIRS)('a device of %s whose guest is of a third may not publish to %s', async (home, target) => {
    const device = world.carrier(home, third(home, target));
    await expectTurnedAway(turnedAway('tenant'), device, index(target, device), world.seal(device, target));
  });

  it.each(PAIRS)(
    'a device of %s that %s knows by its signature certificate alone is turned away',
    async (home, guest) => {
      const device = forger.guestInSignatureOnly(world.carrier(home, guest));
      await expectTurnedAway(turnedAway('tenant'), device, index(guest, device), world.seal(device, guest));
    },
  );

  it.each(PAIRS)(
    'a device of %s that %s knows by its TLS certificate alone is refused',
    async (home, guest) => {
      const device = forger.guestInTlsOnly(world.carrier(home, guest));
      const message = world.seal(device, guest);
      await expectRefusedBy(guest, device, message, 'identity', 'ERR_TRUST_TENANT');
    },
  );
});

describe('signature certificate', () => {
  type Forge = (
    forger: Forger,
    carrier: DeviceIdentity,
    home: TenantId,
    guest: TenantId,
  ) => DeviceIdentity['sign'];
  const signatures: readonly (readonly [string, string, string, Forge])[] = [
    [
      "the owner's own device",
      'identity',
      'ERR_TRUST_DEVICE',
      (_by, _carrier, _home, guest) => world.plain(guest).sign,
    ],
    [
      'another device of its home',
      'identity',
      'ERR_TRUST_TENANT',
      (_by, _carrier, home) => world.plain(home).sign,
    ],
    [
      'another device with the same guest',
      'identity',
      'ERR_TRUST_DEVICE',
      (by, _carrier, home, guest) => by.anotherCarrier(home, guest).sign,
    ],
    [
      'a strange PKI',
      'identity',
      'ERR_TRUST_ISSUER',
      (by, { device }, home, guest) => by.ofStranger(home, guest, device).sign,
    ],
    [
      'a CA that its home made under its own',
      'identity',
      'ERR_TRUST_ISSUER',
      (by, { device }, home, guest) => by.ofOwnSubCa(home, guest, device).sign,
    ],
    [
      'a certificate of its home that names the owner only',
      'identity',
      'ERR_TRUST_IDENTITY',
      (by, { device }, home, guest) => by.namesTargetOnly(home, guest, device).sign,
    ],
    ['its TLS certificate', 'signature', 'ERR_TRUST_PROFILE', (_by, carrier) => carrier.tls],
    [
      'its own certificate and another key',
      'signature',
      'ERR_ENVELOPE_SIGNATURE',
      (_by, carrier, _home, guest) => ({ ...carrier.sign, key: world.plain(guest).sign.key }),
    ],
  ];
  for (const [who, code, cause, forge] of signatures)
    it.each(PAIRS)(
      `a device of %s is refused by its guest's owner %s when ${who} signed`,
      async (home, guest) => {
        const carrier = world.carrier(home, guest);
        const message = world.seal(carrier, guest, { signer: forge(forger, carrier, home, guest) });
        await expectRefusedBy(guest, carrier, message, code, cause);
      },
    );
});

describe('sealing key', () => {
  it.each(PAIRS)('a message to %s that is sealed to %s does not open', async (home, target) => {
    const device = world.plain(home);
    const message = world.seal(device, home, { recipient: world.field.recipient(target) });
    await expectUnopened(device, index(home, device), message, 'ERR_ENVELOPE_KID');
  });

  it.each(PAIRS)(
    "a message to %s that is sealed to %s under the first's key id does not open",
    async (home, target) => {
      const device = world.plain(home);
      const { kid } = world.field.recipient(home);
      const message = world.seal(device, home, { recipient: { ...world.field.recipient(target), kid } });
      await expectUnopened(device, index(home, device), message, 'ERR_ENVELOPE_OPEN');
    },
  );

  it.each(PAIRS)(
    "a device of %s cannot give its guest's owner %s what is sealed to its home",
    async (home, guest) => {
      const device = world.carrier(home, guest);
      const message = world.seal(device, guest, { recipient: world.field.recipient(home) });
      await expectUnopened(device, index(guest, device), message, 'ERR_ENVELOPE_KID');
    },
  );
});

describe('moved ciphertext', () => {
  it.each(PAIRS)(
    'what a device of %s sealed does not open on the topic of a device of %s',
    async (home, target) => {
      const thief = world.plain(target);
      await expectUnopened(
        thief,
        index(target, thief),
        world.seal(world.plain(home), home),
        'ERR_ENVELOPE_KID',
      );
    },
  );

  it.each(PAIRS)(
    'what a device sealed for its home %s does not open as its guest of %s',
    async (home, guest) => {
      const device = world.carrier(home, guest);
      await expectUnopened(device, index(guest, device), world.seal(device, home), 'ERR_ENVELOPE_KID');
    },
  );

  it.each(PAIRS)(
    'what a device of %s sealed for its guest of %s does not open at home',
    async (home, guest) => {
      const device = world.carrier(home, guest);
      await expectUnopened(device, index(home, device), world.seal(device, guest), 'ERR_ENVELOPE_KID');
    },
  );

  it.each(PAIRS)(
    'what a device of %s sealed does not open as a device of %s with that guest',
    async (owner, home) => {
      const thief = world.carrier(home, owner);
      await expectUnopened(
        thief,
        index(owner, thief),
        world.seal(world.plain(owner), owner),
        'ERR_ENVELOPE_OPEN',
      );
    },
  );

  it.each(PAIRS)(
    'what a device of %s sealed for its guest does not open as a device of that owner, %s',
    async (home, owner) => {
      const thief = world.plain(owner);
      const message = world.seal(world.carrier(home, owner), owner);
      await expectUnopened(thief, index(owner, thief), message, 'ERR_ENVELOPE_OPEN');
    },
  );

  it.each(TENANTS)('what a device of %s sealed does not open as another device of it', async (home) => {
    const thief = world.other(home);
    await expectUnopened(thief, index(home, thief), world.seal(world.plain(home), home), 'ERR_ENVELOPE_OPEN');
  });

  it.each(TENANTS)(
    'what a device of %s sealed as an event or a result does not open as an index',
    async (home) => {
      const device = world.plain(home);
      for (const kind of ['event', 'result'] as const) {
        const message = world.seal(device, home, { binding: { kind } });
        await expectUnopened(device, index(home, device), message, 'ERR_ENVELOPE_OPEN');
      }
    },
  );

  it.each(TENANTS)(
    'what a device of %s sealed as an index is not taken as an event or a result',
    async (home) => {
      const device = world.plain(home);
      for (const kind of ['event', 'result'] as const) {
        const message = world.seal(device, home);
        const topic = index(home, device, kind);
        await expectTurnedAway(unopenedBy(home, 'unsupported'), device, topic, message);
        expect(causeOf(world.field, topic, message.sealed)).toBe('ERR_ENVELOPE_OPEN');
      }
    },
  );
});

describe('names within the payload', () => {
  it.each(PAIRS)("%s refuses its own device's index that says it is of %s", async (home, said) => {
    const device = world.plain(home);
    const message = world.seal(device, home, { index: { tenant: said } });
    await expectRefusedBy(home, device, message, 'identity', 'the payload names another tenant');
  });

  it.each(PAIRS)(
    "a guest's index that says it is of the home %s is refused by its owner %s",
    async (home, guest) => {
      const device = world.carrier(home, guest);
      const message = world.seal(device, guest, { index: { tenant: home } });
      await expectRefusedBy(guest, device, message, 'identity', 'the payload names another tenant');
    },
  );

  it.each(PAIRS)(
    "%s refuses its own device's index that says it is of a device of %s",
    async (home, other) => {
      const device = world.plain(home);
      const message = world.seal(device, home, { index: { device: world.plain(other).device } });
      await expectRefusedBy(home, device, message, 'identity', 'the payload names another device');
    },
  );

  it.each(PAIRS)(
    "a guest's index from a device of %s that says it is of a device of the owner %s is refused",
    async (home, guest) => {
      const device = world.carrier(home, guest);
      const message = world.seal(device, guest, { index: { device: world.plain(guest).device } });
      await expectRefusedBy(guest, device, message, 'identity', 'the payload names another device');
    },
  );
});

describe('one connection', () => {
  it.each(PAIRS)('that was honest for %s is not trusted for %s a moment later', async (home, target) => {
    const device = world.plain(home);
    const meter = await dial(device, world.port);
    const honest = world.seal(device, home);
    world.allow(home, honest);
    await world.expectEffects(delivered(home), () => publishOn(meter, index(home, device), honest.sealed));
    await world.expectEffects(turnedAway('tenant'), async () => {
      await publishOn(meter, index(target, device), world.seal(device, target).sealed);
      await meter.untilClosed();
    });
  });
});

describe('after all of this', () => {
  it('each MDM holds exactly the records that were honest, and each of them names it', () => {
    for (const tenant of TENANTS) expect(world.allowed(tenant)).toBe(1 + 6 + 6 + 6);
    world.expectNothingCrossed();
    for (const tenant of TENANTS) expect(world.headEnd.mdmCounters.get(`mdm.${tenant}.misrouted`)).toBe(0);
  });

  it.each(TENANTS)('a device of %s still delivers to it', (home) => expectDelivered(home, world.other(home)));
});
