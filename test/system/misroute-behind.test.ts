import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { socketPath } from '../../gateway/bus/local/paths.ts';
import { startRouter } from '../../gateway/router/router.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { silentLog } from '../../gateway/runtime/log.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { decodeUplinkAnswer } from '../../protocol/uplink.ts';
import { PAIRS, TENANTS } from '../support/field.ts';
import { sendOnce } from '../support/line.ts';
import { Attack, topicOf } from './misroute-attack.ts';
import { BusStranger } from './misroute-bus.ts';
import { receiptOf, World } from './misroute-world.ts';

/**
 * Every tenant against every other, continued: whoever got behind the door. A process of one tenant at another's bus,
 * a front that was taken over, a router that was given another's key, bus or MDM, an owner who trusts no guests.
 */
let world: World;
let attack: Attack;

beforeAll(async () => {
  world = await World.create();
  attack = new Attack(world);
});
afterAll(() => world.close());

/** What one side of a bus says to a request, as the front would read it. */
async function ask(tenant: TenantId, device: string, body: Uint8Array): Promise<unknown> {
  const request = { subject: 'up.index', device: device as never, body } as const;
  return decodeUplinkAnswer(await world.headEnd.bus(tenant).request(request, { deadlineMs: 5_000 }));
}

const unopened = (tenant: TenantId) => ({ [`router ${tenant} refused.envelope`]: 1 });

describe('bus credential', () => {
  const socketOf = (tenant: TenantId): string => socketPath(world.headEnd.busDirectory, tenant);

  it.each(PAIRS)(
    'a process that says it is of %s is refused at the socket of %s and serves nobody',
    async (own, target) => {
      const stranger = new BusStranger(socketOf(target));
      await world.expectEffects({ 'front bus.peer.ended': 1 }, async () => {
        stranger.link.hello(own);
        stranger.link.subject('serve', 'up.index');
        await stranger.ended;
      });
      expect(stranger.heard).toEqual([{ type: 'refused', reason: 'tenant' }]);
      await attack.expectDelivered(target, world.plain(target));
      expect(stranger.heard).toHaveLength(1);
    },
  );

  it.each(TENANTS)(
    'a process that does not say whose it is serves nobody at the socket of %s',
    async (target) => {
      const stranger = new BusStranger(socketOf(target));
      await world.expectEffects({ 'front bus.peer.unexpected': 1 }, async () => {
        stranger.link.subject('serve', 'up.index');
        await stranger.ended;
      });
      expect(stranger.heard).toEqual([]);
      await attack.expectDelivered(target, world.plain(target));
    },
  );

  it.each(PAIRS)('a process of %s can ask nothing at the socket of %s', async (own, target) => {
    const { device } = world.plain(own);
    const { sealed } = world.seal(world.plain(own), own);
    const stranger = new BusStranger(socketOf(target));
    await world.expectEffects({ 'front bus.peer.unexpected': 1 }, async () => {
      stranger.link.request(1, { subject: 'up.index', device, body: sealed }, 1_000);
      await stranger.ended;
    });
    expect(stranger.heard).toEqual([]);
  });

  it.skipIf(process.getuid?.() !== 0)(
    'no socket may be connected to by another user of the machine (needs root)',
    () => {
      // Everything above the folder of the bus is opened, so that it alone keeps the other user out.
      const folders = [world.field.directory, dirname(world.headEnd.busDirectory)];
      for (const folder of folders) chmodSync(folder, 0o755);
      const open = join(world.field.directory, 'open');
      writeFileSync(open, '');
      chmodSync(open, 0o666);
      try {
        expect(mayWrite(open)).toBe(true);
        for (const tenant of TENANTS) expect(mayWrite(socketOf(tenant)), tenant).toBe(false);
      } finally {
        for (const folder of folders) chmodSync(folder, 0o700);
      }
    },
  );
});

/** unix(7): connecting to a socket takes the right to write to it. */
function mayWrite(path: string): boolean {
  const nobody = 65_534;
  return spawnSync('sh', ['-c', 'test -w "$1"', 'sh', path], { uid: nobody, gid: nobody }).status === 0;
}

describe('a router', () => {
  const parts = { log: silentLog, counters: new Counters() };

  it.each(PAIRS)('of %s does not start on the bus of %s', async (own, other) => {
    const config = world.headEnd.routerConfig(own);
    const starting = startRouter({ ...parts, config, bus: world.headEnd.bus(other) });
    await expect(starting).rejects.toMatchObject({ code: 'ERR_ROUTER_TENANT' });
  });

  it.each(PAIRS)('of %s does not start with the sealing key of %s', async (own, other) => {
    const { sealingKeys, sealingKeysIn } = world.headEnd.routerConfig(other);
    const config = { ...world.headEnd.routerConfig(own), sealingKeys, sealingKeysIn };
    const starting = startRouter({ ...parts, config, bus: world.headEnd.bus(own) });
    await expect(starting).rejects.toMatchObject({ code: 'ERR_TRUST_KEY' });
  });
});

describe('a front that was taken over', () => {
  it.each(PAIRS)('cannot have what is sealed to %s opened by the router of %s', async (own, other) => {
    const device = world.plain(own);
    const { sealed } = world.seal(device, own);
    const answer = await world.expectEffects(unopened(other), () => ask(other, device.device, sealed));
    expect(answer).toEqual({ kind: 'refused', reason: 'envelope' });
  });

  it.each(PAIRS)(
    'cannot pass what a device of %s sealed for %s off as that of another device',
    async (home, guest) => {
      const { sealed } = world.seal(world.carrier(home, guest), guest);
      const other = world.plain(guest).device;
      const answer = await world.expectEffects(unopened(guest), () => ask(guest, other, sealed));
      expect(answer).toEqual({ kind: 'refused', reason: 'envelope' });
    },
  );

  it.each(PAIRS)('gets a receipt from %s that names nobody of %s', async (home, other) => {
    const device = world.plain(home);
    const message = world.seal(device, home);
    world.allow(home, message);
    const answer = await ask(home, device.device, message.sealed);
    const { receipt } = answer as { receipt: Uint8Array };
    expect(Buffer.from(receipt).includes(other)).toBe(false);
    expect(Buffer.from(receipt).includes(home)).toBe(true);
  });
});

describe('an owner whose router trusts no issuing CA but its own', () => {
  let strict: World;
  let strictly: Attack;
  beforeAll(async () => {
    const { layout } = world.field.pki;
    strict = await world.beside({
      router: (tenant) => ({
        trust: {
          issuers: [{ tenant, certificate: layout.issuing(tenant).certificate }],
          revocations: [layout.crl(tenant)],
        },
      }),
    });
    strictly = new Attack(strict);
  });
  afterAll(() => strict.headEnd.stop());

  it.each(TENANTS)('takes what a device of its own sends: %s', (home) =>
    strictly.expectDelivered(home, strict.plain(home)),
  );

  it.each(PAIRS)('refuses a guest meter behind a device of %s: %s', async (home, guest) => {
    const device = strict.carrier(home, guest);
    const message = strict.seal(device, guest);
    await strictly.expectRefusedBy(guest, device, message, 'identity', 'ERR_TRUST_ISSUER', [guest]);
  });

  it.each(PAIRS)('lets a device of %s with a guest of %s deliver to its home', (home, guest) =>
    strictly.expectDelivered(home, strict.carrier(home, guest)),
  );

  it('each MDM holds exactly the records that were honest', () => strict.expectNothingCrossed());
});

describe('MDM route', () => {
  for (let shift = 1; shift < TENANTS.length; shift += 1) {
    const routeOf = (tenant: TenantId): TenantId =>
      TENANTS[(TENANTS.indexOf(tenant) + shift) % TENANTS.length]!;

    describe(`shifted by ${shift}`, () => {
      let crossed: World;
      beforeAll(async () => {
        crossed = await world.beside({ route: routeOf });
      });
      afterAll(() => crossed.headEnd.stop());

      it.each(TENANTS.map((tenant) => [tenant, routeOf(tenant)] as const))(
        'a router of %s that delivers to the MDM of %s is refused there, and the device is told so',
        async (own, other) => {
          const device = crossed.plain(own);
          const message = crossed.seal(device, own);
          const heard = await crossed.expectEffects(
            {
              'front receipts': 1,
              [`router ${own} refused.mdm`]: 1,
              [`mdm.${other}.rejected.tenant`]: 1,
              [`mdm.${other}.misrouted`]: 1,
            },
            () => sendOnce(device, crossed.port, topicOf(own, device), message.sealed),
          );
          expect(receiptOf(heard, message)).toMatchObject({ verdict: 'refused', code: 'mdm' });
        },
      );

      it('no MDM holds anything', () => crossed.expectNothingCrossed());
    });
  }

  it.each(PAIRS)(
    'a record of %s that is posted to the MDM of %s is refused, also under its name',
    async (own, other) => {
      const { text } = world.headEnd.records(own)[0]!;
      const { record } = JSON.parse(text) as { record: { Header: object } };
      const post = async (body: unknown): Promise<unknown> => {
        const answer = await fetch(world.headEnd.mdmUrl(other), {
          method: 'POST',
          body: JSON.stringify([body]),
        });
        return answer.json();
      };
      await world.expectEffects(
        {
          [`mdm.${other}.rejected.tenant`]: 1,
          [`mdm.${other}.misrouted`]: 1,
          [`mdm.${other}.rejected.key`]: 1,
        },
        async () => {
          expect(await post(record)).toMatchObject({ results: [{ verdict: 'rejected', code: 'tenant' }] });
          const renamed = { ...record, Header: { ...record.Header, Tenant: other } };
          expect(await post(renamed)).toMatchObject({ results: [{ verdict: 'rejected', code: 'key' }] });
        },
      );
    },
  );
});

describe('after all of this', () => {
  it.each(TENANTS)('a device of %s still delivers to it', (home) =>
    attack.expectDelivered(home, world.other(home)),
  );

  it('each MDM holds exactly the records that were honest', () => world.expectNothingCrossed());
});
