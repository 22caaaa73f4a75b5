import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { subscribe } from '../../gateway/front/testing/wire.ts';
import type { DeviceIdentity } from '../../pki/trust.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { downTopic } from '../../protocol/topics.ts';
import { PAIRS, TENANTS } from '../support/field.ts';
import { dial, heardOn, publishOn } from '../support/line.ts';
import { Attack, topicOf } from './misroute-attack.ts';
import { Forger } from './misroute-forger.ts';
import { delivered, turnedAway, World } from './misroute-world.ts';

/**
 * The product cannot misroute (ARCHITECTURE, "the four cannots"): every tenant against every other, through the real
 * front over TLS. Each case asserts everything that it changed in front, routers and MDMs, so a refusal for another
 * reason than its own fails; and at the end each MDM holds exactly the records that were honest. Here are the cases
 * that end at the door; `misroute-sealed` has those that reach a router, `misroute-behind` those behind the front.
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

/** A tenant that is neither of the two. */
const third = (one: TenantId, other: TenantId): TenantId =>
  TENANTS.find((tenant) => tenant !== one && tenant !== other)!;

const SUBACK = 0x90;
const SUBSCRIPTION_REFUSED = 0x80;

describe('honest messages pass', () => {
  it.each(TENANTS)('a device of %s delivers to it', (home) =>
    attack.expectDelivered(home, world.plain(home)),
  );

  it.each(PAIRS)('a device of %s delivers a guest meter to its owner %s', (home, guest) =>
    attack.expectDelivered(guest, world.carrier(home, guest)),
  );

  it.each(PAIRS)('a device of %s with a guest of %s still delivers to its home', (home, guest) =>
    attack.expectDelivered(home, world.carrier(home, guest)),
  );
});

describe('topic', () => {
  it.each(PAIRS)('a device of %s may not publish to %s', async (home, target) => {
    const device = world.plain(home);
    await attack.expectTurnedAway(
      turnedAway('tenant'),
      device,
      topicOf(target, device),
      world.seal(device, target),
    );
  });

  it.each(PAIRS)(
    "a device of %s may not publish as a device of %s on the other's topic",
    async (home, target) => {
      const victim = world.plain(target);
      await attack.expectTurnedAway(
        turnedAway('device'),
        world.plain(home),
        topicOf(target, victim),
        world.seal(victim, target),
      );
    },
  );

  it.each(PAIRS)('a device of %s may not bring home the topic of a device of %s', async (home, target) => {
    const victim = world.plain(target);
    await attack.expectTurnedAway(
      turnedAway('device'),
      world.plain(home),
      topicOf(home, victim),
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
      await attack.expectTurnedAway(
        turnedAway(reason),
        forged,
        topicOf(target, forged),
        world.seal(world.plain(target), target, { binding: { device: forged.device } }),
      );
    });
});

describe('guest channel', () => {
  it.each(PAIRS)('a device of %s whose guest is of a third may not publish to %s', async (home, target) => {
    const device = world.carrier(home, third(home, target));
    await attack.expectTurnedAway(
      turnedAway('tenant'),
      device,
      topicOf(target, device),
      world.seal(device, target),
    );
  });

  it.each(PAIRS)(
    'a device of %s that %s knows by its signature certificate alone is turned away',
    async (home, guest) => {
      const device = forger.guestInSignatureOnly(world.carrier(home, guest));
      await attack.expectTurnedAway(
        turnedAway('tenant'),
        device,
        topicOf(guest, device),
        world.seal(device, guest),
      );
    },
  );

  it.each(PAIRS)(
    'a device of %s that %s knows by its TLS certificate alone is refused',
    async (home, guest) => {
      const device = forger.guestInTlsOnly(world.carrier(home, guest));
      const message = world.seal(device, guest);
      await attack.expectRefusedBy(guest, device, message, 'identity', 'ERR_TRUST_TENANT');
    },
  );
});

describe('one connection', () => {
  it.each(PAIRS)('that was honest for %s is not trusted for %s a moment later', async (home, target) => {
    const device = world.plain(home);
    const meter = await dial(device, world.port);
    const honest = world.seal(device, home);
    world.allow(home, honest);
    await world.expectEffects(delivered(home), () => publishOn(meter, topicOf(home, device), honest.sealed));
    await world.expectEffects(turnedAway('tenant'), async () => {
      await publishOn(meter, topicOf(target, device), world.seal(device, target).sealed);
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

  it.each(TENANTS)('a device of %s still delivers to it', (home) =>
    attack.expectDelivered(home, world.other(home)),
  );
});
