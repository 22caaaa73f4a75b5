import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partsOf, withParts } from '../../protocol/testing/command-attacker.ts';
import { Field } from '../support/field.ts';
import { EDITED, MOVED, OLD } from './forge-attacks.ts';
import { honest, type Seen, withPayload } from './forge-craft.ts';
import { FARYS, Office, ORES } from './forge-people.ts';
import { COUNTED, ROLES, UNTRUSTED } from './forge-signers.ts';
import { ForgeWorld, type Meter, stateOf } from './forge-world.ts';

/**
 * It cannot forge: whoever holds the front, the bus, the desk's database and its TLS key can drop a command, and not
 * make one. Every row is tried on a real meter over the real front, and nothing at the meter moves.
 */

let world: ForgeWorld;
beforeAll(async () => {
  world = await ForgeWorld.create();
}, 120_000);
afterAll(() => world.close(), 120_000);

async function carriedHonestly(meter: Meter, command = honest.port(world, meter)): Promise<Seen> {
  const signed = world.signed(command);
  const carried = world.seal(meter, signed);
  expect(await world.carry(meter, carried)).toBe('executed');
  return { command, signed, carried };
}

describe('a command that nobody touched', () => {
  it('is executed on the same road, or nothing here would show anything', async () => {
    const meter = await world.meter();
    const before = stateOf(meter);
    for (const make of Object.values(honest)) await carriedHonestly(meter, make(world, meter));
    expect(meter.hardware.done.map(({ kind }) => kind)).toEqual(['port', 'breaker', 'limiter']);
    expect(stateOf(meter).state).not.toBe(before.state);
  });

  it('is executed of a guest, who commands its own meter', async () => {
    const meter = await world.meter();
    const command = world.command(meter, 'valve.close', { channel: 2, cause: 'safety' }, { tenant: FARYS });
    const carried = world.seal(meter, world.signed(command), command.tenant);
    expect(await world.carry(meter, carried)).toBe('executed');
    expect(meter.hardware.done).toEqual([{ kind: 'valve', channel: 2, position: 0 }]);
  });
});

describe('the tools of the attacker', () => {
  it('change nothing where they are told to: what is refused is refused for what was changed', async () => {
    const meter = await world.absentMeter();
    const command = honest.cut(world, meter);
    const signed = Buffer.from(world.signed(command));
    expect(Buffer.from(withPayload(signed, command))).toEqual(signed);
    expect(Buffer.from(withParts(signed, ...partsOf(signed)))).toEqual(signed);
  });
});

describe('a meter that was enrolled with the attacker’s office', () => {
  it('obeys that one and no other: what refuses below is the office that a meter was given', async () => {
    const strange = new Field([ORES, FARYS]);
    try {
      const { office } = strange.device(ORES, [FARYS]);
      const meter = await world.meter(office === undefined ? {} : { office });
      const theirs = new Office(strange).signer('operator');
      const sealed = (signer = theirs) => world.seal(meter, world.signed(honest.port(world, meter), signer));
      expect(await world.carry(meter, sealed())).toBe('executed');
      expect(meter.hardware.count('port')).toBe(1);
      expect(await world.carry(meter, sealed(world.office.signer('operator')))).toBe('refused signer');
    } finally {
      strange.remove();
    }
  });
});

const ATTACKS = [
  { part: 'bytes that were changed', attacks: EDITED },
  { part: 'a command in another place', attacks: MOVED },
  { part: 'a command of another time', attacks: OLD },
  { part: 'signatures that do not make two people', attacks: COUNTED },
  { part: 'roles that may not', attacks: ROLES },
  { part: 'signers whom nobody trusts', attacks: UNTRUSTED },
];

describe.each(ATTACKS)('$part', ({ attacks }) => {
  it.each(attacks)('moves nothing: $attack', async ({ answer, before, with: make }) => {
    const meter = await world.meter();
    const seen = before === undefined ? undefined : await carriedHonestly(meter, before(world, meter));
    const messages = await make(world, meter, seen!);
    const still = stateOf(meter);
    const answers: string[] = [];
    for (const message of messages) answers.push(await world.carry(meter, message));
    expect(answers.at(-1)).toBe(answer);
    expect(stateOf(meter)).toEqual(still);
    // And it has not been locked out: what its people sign next is executed.
    await carriedHonestly(meter, honest.say(world, meter));
  });
});
