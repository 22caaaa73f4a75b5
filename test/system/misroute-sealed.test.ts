import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeviceIdentity } from '../../pki/trust.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { PAIRS, TENANTS } from '../support/field.ts';
import { Attack, topicOf } from './misroute-attack.ts';
import { Forger } from './misroute-forger.ts';
import { causeOf, unopenedBy, World } from './misroute-world.ts';

/**
 * Every tenant against every other, continued: messages that the front lets through, since it cannot see what is
 * wrong with them, and that the owner's router must refuse.
 */
let world: World;
let forger: Forger;
let attack: Attack;

beforeAll(async () => {
  world = await World.create();
  forger = new Forger(world.field);
  attack = new Attack(world);
});
afterAll(async () => {
  forger.close();
  await world.close();
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
        await attack.expectRefusedBy(guest, carrier, message, code, cause);
      },
    );
});

describe('sealing key', () => {
  it.each(PAIRS)('a message to %s that is sealed to %s does not open', async (home, target) => {
    const device = world.plain(home);
    const message = world.seal(device, home, { recipient: world.field.recipient(target) });
    await attack.expectUnopened(device, topicOf(home, device), message, 'ERR_ENVELOPE_KID');
  });

  it.each(PAIRS)(
    "a message to %s that is sealed to %s under the first's key id does not open",
    async (home, target) => {
      const device = world.plain(home);
      const { kid } = world.field.recipient(home);
      const message = world.seal(device, home, { recipient: { ...world.field.recipient(target), kid } });
      await attack.expectUnopened(device, topicOf(home, device), message, 'ERR_ENVELOPE_OPEN');
    },
  );

  it.each(PAIRS)(
    "a device of %s cannot give its guest's owner %s what is sealed to its home",
    async (home, guest) => {
      const device = world.carrier(home, guest);
      const message = world.seal(device, guest, { recipient: world.field.recipient(home) });
      await attack.expectUnopened(device, topicOf(guest, device), message, 'ERR_ENVELOPE_KID');
    },
  );
});

describe('moved ciphertext', () => {
  it.each(PAIRS)(
    'what a device of %s sealed does not open on the topic of a device of %s',
    async (home, target) => {
      const thief = world.plain(target);
      await attack.expectUnopened(
        thief,
        topicOf(target, thief),
        world.seal(world.plain(home), home),
        'ERR_ENVELOPE_KID',
      );
    },
  );

  it.each(PAIRS)(
    'what a device sealed for its home %s does not open as its guest of %s',
    async (home, guest) => {
      const device = world.carrier(home, guest);
      await attack.expectUnopened(
        device,
        topicOf(guest, device),
        world.seal(device, home),
        'ERR_ENVELOPE_KID',
      );
    },
  );

  it.each(PAIRS)(
    'what a device of %s sealed for its guest of %s does not open at home',
    async (home, guest) => {
      const device = world.carrier(home, guest);
      await attack.expectUnopened(
        device,
        topicOf(home, device),
        world.seal(device, guest),
        'ERR_ENVELOPE_KID',
      );
    },
  );

  it.each(PAIRS)(
    'what a device of %s sealed does not open as a device of %s with that guest',
    async (owner, home) => {
      const thief = world.carrier(home, owner);
      await attack.expectUnopened(
        thief,
        topicOf(owner, thief),
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
      await attack.expectUnopened(thief, topicOf(owner, thief), message, 'ERR_ENVELOPE_OPEN');
    },
  );

  it.each(TENANTS)('what a device of %s sealed does not open as another device of it', async (home) => {
    const thief = world.other(home);
    await attack.expectUnopened(
      thief,
      topicOf(home, thief),
      world.seal(world.plain(home), home),
      'ERR_ENVELOPE_OPEN',
    );
  });

  it.each(TENANTS)(
    'what a device of %s sealed as an event or a result does not open as an index',
    async (home) => {
      const device = world.plain(home);
      for (const kind of ['event', 'result'] as const) {
        const message = world.seal(device, home, { binding: { kind } });
        await attack.expectUnopened(device, topicOf(home, device), message, 'ERR_ENVELOPE_OPEN');
      }
    },
  );

  it.each(TENANTS)(
    'what a device of %s sealed as an index is not taken as an event or a result',
    async (home) => {
      const device = world.plain(home);
      for (const kind of ['event', 'result'] as const) {
        const message = world.seal(device, home);
        const topic = topicOf(home, device, kind);
        await attack.expectTurnedAway(unopenedBy(home, kind), device, topic, message);
        expect(causeOf(world.field, topic, message.sealed)).toBe('ERR_ENVELOPE_OPEN');
      }
    },
  );
});

describe('names within the payload', () => {
  it.each(PAIRS)("%s refuses its own device's index that says it is of %s", async (home, said) => {
    const device = world.plain(home);
    const message = world.seal(device, home, { index: { tenant: said } });
    await attack.expectRefusedBy(home, device, message, 'identity', 'the payload names another tenant');
  });

  it.each(PAIRS)(
    "a guest's index that says it is of the home %s is refused by its owner %s",
    async (home, guest) => {
      const device = world.carrier(home, guest);
      const message = world.seal(device, guest, { index: { tenant: home } });
      await attack.expectRefusedBy(guest, device, message, 'identity', 'the payload names another tenant');
    },
  );

  it.each(PAIRS)(
    "%s refuses its own device's index that says it is of a device of %s",
    async (home, other) => {
      const device = world.plain(home);
      const message = world.seal(device, home, { index: { device: world.plain(other).device } });
      await attack.expectRefusedBy(home, device, message, 'identity', 'the payload names another device');
    },
  );

  it.each(PAIRS)(
    "a guest's index from a device of %s that says it is of a device of the owner %s is refused",
    async (home, guest) => {
      const device = world.carrier(home, guest);
      const message = world.seal(device, guest, { index: { device: world.plain(guest).device } });
      await attack.expectRefusedBy(guest, device, message, 'identity', 'the payload names another device');
    },
  );
});

describe('after all of this', () => {
  it('no MDM holds anything', () => world.expectNothingCrossed());

  it.each(PAIRS)('a device of %s still delivers its guest meter to %s', (home, guest) =>
    attack.expectDelivered(guest, world.carrier(home, guest)),
  );

  it('each MDM holds exactly the records that were honest', () => {
    for (const tenant of TENANTS) expect(world.allowed(tenant)).toBe(6);
    world.expectNothingCrossed();
  });
});
