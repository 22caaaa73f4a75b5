import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Command } from '../../protocol/command/command.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import { type Outcome, signOutcome } from '../../protocol/command/outcome.ts';
import { signReport } from '../../protocol/command/report.ts';
import type { SignerKey } from '../../protocol/envelope.ts';
import { flipped } from '../../protocol/testing/command-attacker.ts';
import { nowSeconds, port } from './forge-craft.ts';
import { Orders } from './forge-orders.ts';
import { FARYS, ORES, RESA, signerOf, signerOfFiles, strangeOperator } from './forge-people.ts';
import { ForgeWorld, type Meter, until } from './forge-world.ts';

/** It cannot forge: what the bus says of a result, the desk believes when the meter signed it, and only then. */

let world: ForgeWorld;
let orders: Orders;
beforeAll(async () => {
  world = await ForgeWorld.create();
  orders = new Orders(world);
}, 120_000);
afterAll(() => world.close(), 120_000);

/** What somebody at the bus says became of an order, and what the desk answers. */
interface Lie {
  readonly lie: string;
  readonly answer: string;
  readonly says: (about: Outcome, meter: Meter) => Promise<Uint8Array> | Uint8Array;
}

const signedBy = (outcome: Outcome, signer: SignerKey): Uint8Array => signOutcome({ outcome, signer });
const evidenceOf = async (id: CommandId): Promise<Uint8Array> =>
  (await world.desk.store.evidence(id))!.outcome!;

const LIES: readonly Lie[] = [
  {
    lie: 'by another meter, in the name of this one',
    answer: 'identity',
    says: async (about) => signedBy(about, signerOf((await world.meter()).identity.sign)),
  },
  {
    lie: 'by the router or the desk, with a TLS key of the office',
    answer: 'identity',
    says: (about) => signedBy(about, signerOfFiles(world.field.pki.layout.office.desk(ORES))),
  },
  {
    lie: 'by the operator who gave the order',
    answer: 'identity',
    says: (about) => signedBy(about, world.office.signer('operator')),
  },
  {
    lie: 'with the key that the meter has for TLS',
    answer: 'identity',
    says: (about, { identity }) => signedBy(about, signerOf(identity.tls)),
  },
  {
    lie: 'by a meter of the same name, of a CA of another tenant',
    answer: 'identity',
    says: (about) => signedBy(about, signerOf(world.field.device(RESA, [], about.device).sign)),
  },
  {
    lie: 'under the meter’s certificate, with another key',
    answer: 'signature',
    says: (about, { identity }) =>
      signedBy(about, { ...strangeOperator(), certificate: signerOf(identity.sign).certificate }),
  },
  {
    lie: 'that the meter said so to its guest',
    answer: 'signature',
    says: (about, { identity }) => signedBy({ ...about, tenant: FARYS }, signerOf(identity.sign)),
  },
  {
    lie: 'with one bit of the meter’s own word changed',
    answer: 'signature',
    says(about, { identity }) {
      const word = signedBy(about, signerOf(identity.sign));
      return flipped(word, word.length - 1);
    },
  },
  {
    lie: 'the meter’s word of an order that nobody gave',
    answer: 'command',
    says: (about, { identity }) =>
      signedBy({ ...about, command: randomBytes(16).toString('hex') as CommandId }, signerOf(identity.sign)),
  },
  {
    lie: 'a report of the meter for a result',
    answer: 'signature',
    says: (_, { identity: { device, sign } }) =>
      signReport({
        report: {
          tenant: ORES,
          device,
          time: nowSeconds(),
          airplaneSince: null,
          breaker: 'open',
          creditMode: 'credit',
          tariffPlan: 'bi',
        },
        signer: signerOf(sign),
      }),
  },
  { lie: 'noise', answer: 'schema', says: () => Buffer.alloc(300, 0xa5) },
];

/** A meter that has executed an order of which the desk has no word: the front dropped it. */
async function unheard(): Promise<{ meter: Meter; command: Command; about: Outcome }> {
  const meter = await world.meter();
  const { device } = meter.identity;
  world.front.dropped.add(device);
  const command = await orders.give(port(world, meter));
  await until('the meter has answered', () => world.front.results(device).length > 0);
  const about = {
    tenant: ORES,
    device,
    command: command.id,
    time: nowSeconds(),
    state: 'executed',
    code: null,
  } as const;
  return { meter, command, about };
}

describe('a result', () => {
  it.each(LIES)('is not believed $lie', async ({ answer, says }) => {
    const { meter, command, about } = await unheard();
    const before = await world.desk.store.meter(meter.identity.device);
    expect(await world.tell(meter, await says(about, meter))).toBe(answer);
    expect(await orders.stored(command.id)).toMatchObject({ state: 'sent', code: null });
    expect(await world.desk.store.meter(meter.identity.device)).toMatchObject({ breaker: before!.breaker });
    // The meter's own word is still good.
    world.front.dropped.delete(meter.identity.device);
    await world.again(meter, world.front.results(meter.identity.device)[0]!);
    expect(await orders.end(command.id)).toBe('executed');
  });

  it('is not believed of a meter that was never given the order, in its own name', async () => {
    const { command, about } = await unheard();
    const other = await world.meter();
    const said = { ...about, device: other.identity.device };
    expect(await world.tell(other, signedBy(said, signerOf(other.identity.sign)))).toBe('command');
    expect((await orders.stored(command.id)).state).toBe('sent');
  });

  it('of one order, replayed for the next, ends nothing', async () => {
    const meter = await world.meter();
    const { device } = meter.identity;
    const first = await orders.give(port(world, meter));
    expect(await orders.end(first.id)).toBe('executed');
    const word = await evidenceOf(first.id);
    world.front.dropped.add(device);
    const second = await orders.give(world.command(meter, 'p1.set', { on: true }));
    await until('the meter has answered again', () => world.front.results(device).length > 1);
    expect(await world.tell(meter, word)).toBe('taken');
    await world.again(meter, world.front.results(device)[0]!);
    expect((await orders.stored(second.id)).state).toBe('sent');
    expect((await orders.stored(first.id)).state).toBe('executed');
  });

  it('of one meter is not taken for another meter’s', async () => {
    const { meter, command } = await unheard();
    const other = await world.meter();
    const sealed = world.front.results(meter.identity.device)[0]!;
    await world.again(other, sealed);
    expect((await orders.stored(command.id)).state).toBe('sent');
    world.front.dropped.delete(meter.identity.device);
    await world.again(meter, sealed);
    expect(await orders.end(command.id)).toBe('executed');
  });
});
