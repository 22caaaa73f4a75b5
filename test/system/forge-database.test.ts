import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { derOf } from '../../pki/x509/pem.ts';
import type { Command } from '../../protocol/command/command.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import { approveCommand, signCommand } from '../../protocol/command/signed.ts';
import { partsOf, withParts } from '../../protocol/testing/command-attacker.ts';
import { Field } from '../support/field.ts';
import { apiFace } from '../support/marco-api.ts';
import { by, cut, nowSeconds, port, withPayload } from './forge-craft.ts';
import { Orders } from './forge-orders.ts';
import { FARYS, ORES, signerOf, signerOfFiles, strangeOperator } from './forge-people.ts';
import { ForgeWorld, type Meter, stateOf, until } from './forge-world.ts';

/** It cannot forge: whatever is written into the desk's database, the meter asks for what people signed. */

let world: ForgeWorld;
let orders: Orders;
beforeAll(async () => {
  world = await ForgeWorld.create();
  orders = new Orders(world);
}, 120_000);
afterAll(() => world.close(), 120_000);

const SOON_SECONDS = 3_600;

describe('an order of people, through the API', () => {
  it('is executed once its second signature is there, and the desk knows it from the meter', async () => {
    const meter = await world.meter();
    const command = cut(world, meter);
    const [operator, approver] = (['operator', 'approver'] as const).map((role) =>
      apiFace(`https://localhost:${world.desk.port}`, world.office.person(role)),
    );
    const proposal = signCommand({ command, signer: world.office.signer('operator') });
    expect(await operator!.propose({ device: command.device, signed: proposal })).toMatchObject({
      id: command.id,
      state: 'awaiting-approval',
    });
    expect(meter.hardware.done).toEqual([]);
    const { signed } = await approver!.show(command.id);
    await approver!.approve(command.id, approveCommand({ signed, signer: world.office.signer('approver') }));
    expect(await orders.end(command.id)).toBe('executed');
    expect(meter.hardware.done).toEqual([{ kind: 'breaker', position: 0 }]);
    for (const face of [operator, approver]) face!.close();
  });
});

/** One thing changed in the database, and what the meter says to what the desk then sends. */
interface Theft {
  readonly theft: string;
  readonly ends: string;
  /** The order as its people gave it, and the meter that is looked at. */
  readonly given: (meter: Meter) => Promise<Command>;
  readonly change: (command: Command, meter: Meter) => void;
}

const later = (): { notBefore: number; expiry: number } => {
  const notBefore = nowSeconds() + SOON_SECONDS;
  return { notBefore, expiry: notBefore + SOON_SECONDS };
};
const set = (what: string, id: CommandId, ...values: readonly (string | number | Uint8Array)[]): void =>
  world.atDatabase(`UPDATE commands SET ${what} WHERE id = ?`, ...values, id);
const setSigned = (id: CommandId, signed: Uint8Array): void =>
  world.atDatabase(
    'UPDATE evidence SET signed = ? WHERE seq = (SELECT seq FROM commands WHERE id = ?)',
    signed,
    id,
  );
const queue = (id: CommandId): void => set("state = 'queued'", id);

const forLater = (meter: Meter): Promise<Command> => orders.give(cut(world, meter, later()));

const THEFTS: readonly Theft[] = [
  {
    theft: 'an order that nobody approved is put into the queue',
    ends: 'refused signature',
    given: (meter) => orders.half(meter),
    change: ({ id }) => queue(id),
  },
  {
    theft: 'and its one signature written twice',
    ends: 'refused people',
    given: (meter) => orders.half(meter),
    change(command) {
      const signed = signCommand({ command, signer: world.office.signer('operator') });
      const [proposal] = partsOf(signed);
      setSigned(command.id, withParts(signed, proposal!, proposal!));
      queue(command.id);
    },
  },
  {
    theft: 'and approved with the desk’s TLS key',
    ends: 'refused signer',
    given: (meter) => orders.half(meter),
    change(command) {
      const desk = signerOfFiles(world.field.pki.layout.office.desk(ORES));
      setSigned(command.id, by(command, world.office.signer('operator'), desk));
      queue(command.id);
    },
  },
  {
    theft: 'and approved by an office of the thief',
    ends: 'refused signer',
    given: (meter) => orders.half(meter),
    change(command) {
      setSigned(command.id, by(command, world.office.signer('operator'), strangeOperator()));
      queue(command.id);
    },
  },
  {
    theft: 'what was signed says something else',
    ends: 'refused signature',
    given: (meter) => orders.half(meter),
    change(command) {
      const other = world.command({ identity: { device: command.device } } as Meter, 'limiter.set', {
        powerW: 1_000,
      });
      setSigned(command.id, withPayload(world.signed(command), { ...other, id: command.id }));
      queue(command.id);
    },
  },
  {
    theft: 'an order for later is sent now',
    ends: 'refused early',
    given: forLater,
    change: ({ id }) => set('notBefore = 0', id),
  },
  {
    theft: 'a routine order is written in by somebody who holds no key of the office',
    ends: 'refused signer',
    given: (meter) => orders.give(port(world, meter, later())),
    change(command, meter) {
      const own = by(port(world, meter, { id: command.id }), signerOf(meter.identity.sign));
      setSigned(command.id, own);
      set('notBefore = 0', command.id);
    },
  },
];

describe('a database in the hands of a thief', () => {
  it.each(THEFTS)('moves nothing: $theft', async ({ ends, given, change }) => {
    const meter = await world.meter();
    const command = await given(meter);
    const still = stateOf(meter);
    change(command, meter);
    await world.wake(meter);
    expect(await orders.end(command.id)).toBe(ends);
    expect(stateOf(meter)).toEqual(still);
  });

  it('moves nothing: the order for one meter is given to another', async () => {
    const [one, other] = [await world.meter(), await world.meter()];
    const command = await forLater(one);
    set('device = ?, notBefore = 0', command.id, other.identity.device);
    await world.wake(other);
    expect(await orders.end(command.id)).toBe('refused signature');
    expect([...one.hardware.done, ...other.hardware.done]).toEqual([]);
  });

  it('moves nothing twice: an order that was executed is put into the queue again', async () => {
    const meter = await world.meter();
    const command = await orders.give(cut(world, meter));
    expect(await orders.end(command.id)).toBe('executed');
    const still = stateOf(meter);
    set("state = 'queued', answerDueMs = NULL", command.id);
    await world.wake(meter);
    await until('it comes again', () => meter.counters.snapshot()['edge.command.executed'] === 2);
    expect(stateOf(meter)).toEqual(still);
  });

  it('moves nothing: a meter’s key is exchanged for one of the thief, who can read what he cannot write', async () => {
    const meter = await world.meter();
    const { device } = meter.identity;
    const command = await forLater(meter);
    const strange = new Field([ORES, FARYS]);
    try {
      const { certificate } = strange.device(ORES, [FARYS], device).agree;
      world.atDatabase(
        'UPDATE meters SET certificate = ? WHERE device = ?',
        derOf('CERTIFICATE', certificate),
        device,
      );
    } finally {
      strange.remove();
    }
    set('notBefore = 0', command.id);
    await world.wake(meter);
    const unopened = 'edge.command.unopened.ERR_ENVELOPE_KID';
    await until('what it cannot open comes', () => meter.counters.snapshot()[unopened] === 1);
    expect(meter.hardware.done).toEqual([]);
    expect((await orders.stored(command.id)).state).toBe('sent');
  });

  it('can have an order carried out that was cancelled before it left: its people did sign it', async () => {
    // What is promised is that nothing is made up. Only the end of its validity takes a signature back.
    const meter = await world.absentMeter();
    const command = await orders.give(port(world, meter));
    await world.desk.desk.cancel({ id: command.id, by: { role: 'operator', person: 'operator' } });
    set("state = 'queued'", command.id);
    await world.connect(meter);
    await world.wake(meter);
    expect(await orders.end(command.id)).toBe('executed');
  });
});
