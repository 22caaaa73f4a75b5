import { type Command, encodeCommand } from '../../protocol/command/command.ts';
import { commandIdOf } from '../../protocol/command/id.ts';
import { flipped, signedBytes } from '../../protocol/testing/command-attacker.ts';
import { type Attack, cut, limit, nowSeconds, port, SEVERAL_HOURS_MS, withPayload } from './forge-craft.ts';
import { FARYS, ORES, RESA } from './forge-people.ts';
import { until } from './forge-world.ts';

/** What is rightly signed, and was changed, moved or held back on its way. */

/** Bytes that were changed on their way. */
export const EDITED: readonly Attack[] = [
  {
    attack: 'edited arguments: another limit under the same two signatures',
    answer: 'refused signature',
    with(world, meter) {
      const command = limit(world, meter);
      const other = { ...command, arguments: { powerW: 1_000 } } as Command;
      return [world.seal(meter, withPayload(world.signed(command), other))];
    },
  },
  {
    attack: 'an edited type: an order to arm, made an order to cut',
    answer: 'refused signature',
    with(world, meter) {
      const command = world.command(meter, 'breaker.arm', { cause: 'safety' });
      return [world.seal(meter, withPayload(world.signed(command), cut(world, meter, { id: command.id })))];
    },
  },
  {
    attack: 'an edited expiry',
    answer: 'refused signature',
    with(world, meter) {
      const command = port(world, meter);
      return [
        world.seal(meter, withPayload(world.signed(command), { ...command, expiry: command.expiry + 60 })),
      ];
    },
  },
  {
    attack: 'an edited counter: an order made newer than it is',
    answer: 'refused signature',
    with(world, meter) {
      const command = port(world, meter);
      return [
        world.seal(meter, withPayload(world.signed(command), { ...command, counter: command.counter + 1 })),
      ];
    },
  },
  {
    attack: 'one bit of a signature changed',
    answer: 'refused signature',
    with(world, meter) {
      const signed = world.signed(port(world, meter));
      return [world.seal(meter, flipped(signed, signed.length - 1))];
    },
  },
  {
    attack: 'one bit of what was sealed changed',
    answer: 'unopened ERR_ENVELOPE_OPEN',
    with(world, meter) {
      const { tenant, sealed } = world.seal(meter, world.signed(port(world, meter)));
      return [{ tenant, sealed: flipped(sealed, sealed.length >> 1) }];
    },
  },
  {
    attack: 'arguments that no operator may choose, signed by one whose tools are his own',
    answer: 'refused arguments',
    with(world, meter) {
      const command = world.command(meter, 'prepayment.balance', {
        balanceCents: 0,
        asOf: nowSeconds(),
        topUpCents: null,
      });
      const payload = Buffer.from(encodeCommand(command));
      // 0 cents becomes 99,999,999.
      const at = payload.lastIndexOf(Buffer.from('0100', 'hex'));
      const huge = Buffer.concat([
        payload.subarray(0, at),
        Buffer.from('011a05f5e0ff', 'hex'),
        payload.subarray(at + 2),
      ]);
      const where = { tenant: ORES, device: meter.identity.device };
      return [world.seal(meter, signedBytes(huge, where, world.office.signer('marco')))];
    },
  },
  {
    attack: 'noise',
    answer: 'unopened ERR_ENVELOPE_SHAPE',
    with: () => [{ tenant: ORES, sealed: Buffer.alloc(600, 0xa5) }],
  },
  {
    attack: 'a command in clear: signed, and not sealed',
    answer: 'unopened ERR_ENVELOPE_SHAPE',
    with: (world, meter) => [{ tenant: ORES, sealed: world.signed(port(world, meter)) }],
  },
  {
    attack: 'a sealed command without any signature',
    answer: 'unanswered signature',
    with: (world, meter) => [world.seal(meter, encodeCommand(port(world, meter)))],
  },
];

/** A right command in a wrong place. */
export const MOVED: readonly Attack[] = [
  {
    attack: 'swapped device: the order for another meter, sealed to this one',
    answer: 'refused signature',
    async with(world, meter) {
      return [world.seal(meter, world.signed(cut(world, await world.meter())))];
    },
  },
  {
    attack: 'sealed for another device',
    answer: 'unopened ERR_ENVELOPE_KID',
    async with(world) {
      const other = await world.meter();
      return [world.seal(other, world.signed(cut(world, other)))];
    },
  },
  {
    attack: 'sealed to this device, for the topic of another',
    answer: 'unopened ERR_ENVELOPE_OPEN',
    async with(world, meter) {
      const other = await world.meter();
      return [world.seal(meter, world.signed(cut(world, other)), ORES, other.identity.device)];
    },
  },
  {
    attack: 'moved as it is to the topic of the guest',
    answer: 'unopened ERR_ENVELOPE_OPEN',
    with(world, meter) {
      const { sealed } = world.seal(meter, world.signed(cut(world, meter)));
      return [{ tenant: FARYS, sealed }];
    },
  },
  {
    attack: 'sealed anew for the topic of the guest',
    answer: 'refused signer',
    with: (world, meter) => [world.seal(meter, world.signed(cut(world, meter)), FARYS)],
  },
  {
    attack: 'moved to a tenant that has nothing at this meter',
    answer: 'not written: absent',
    with: (world, meter) => [world.seal(meter, world.signed(cut(world, meter, { tenant: RESA })), RESA)],
  },
  {
    attack: 'a guest, by its own people, who cuts the electricity of its host',
    answer: 'refused owner',
    with: (world, meter) => [world.seal(meter, world.signed(cut(world, meter, { tenant: FARYS })), FARYS)],
  },
  {
    attack: 'what the meter itself sent, played back to it',
    answer: 'unopened ERR_ENVELOPE_KID',
    before: port,
    async with({ front }, { identity: { device } }) {
      await until('its result passes', () => front.results(device).length > 0);
      return [{ tenant: ORES, sealed: front.results(device)[0]! }];
    },
  },
];

/** An order that was given once, or was meant for another time. */
export const OLD: readonly Attack[] = [
  {
    attack: 'replay: the same bytes once more, which are answered as the first time',
    answer: 'executed',
    before: port,
    with: (_, __, { carried }) => [carried, carried],
  },
  {
    attack: 'replay, sealed anew',
    answer: 'executed',
    before: port,
    with: (world, meter, { signed }) => [world.seal(meter, signed)],
  },
  {
    attack: 'replay under another id',
    answer: 'refused signature',
    before: port,
    with: (world, meter, { command, signed }) => [
      world.seal(meter, withPayload(signed, { ...command, id: commandIdOf(Buffer.alloc(16, 7)) })),
    ],
  },
  {
    attack: 'old counter: an order that was held back until after a newer one',
    answer: 'refused counter',
    before: port,
    with: (world, meter, { command }) => [
      world.seal(
        meter,
        world.signed(world.command(meter, 'p1.set', { on: true }, { counter: command.counter - 1 })),
      ),
    ],
  },
  {
    attack: 'the same counter for another command',
    answer: 'refused counter',
    before: port,
    with: (world, meter, { command }) => [
      world.seal(
        meter,
        world.signed(world.command(meter, 'p1.set', { on: true }, { counter: command.counter })),
      ),
    ],
  },
  {
    attack: 'a counter from hours ahead, which would lock its signer out',
    answer: 'refused counter',
    with: (world, meter) => [
      world.seal(meter, world.signed(port(world, meter, { counter: Date.now() + SEVERAL_HOURS_MS }))),
    ],
  },
  {
    attack: 'expired: an order that was held back for a day',
    answer: 'refused expired',
    with(world, meter) {
      const expiry = nowSeconds() - 60;
      return [world.seal(meter, world.signed(cut(world, meter, { notBefore: expiry - 3_600, expiry })))];
    },
  },
  {
    attack: 'an order for tomorrow, carried today',
    answer: 'refused early',
    with(world, meter) {
      const notBefore = nowSeconds() + 86_400;
      return [world.seal(meter, world.signed(cut(world, meter, { notBefore, expiry: notBefore + 3_600 })))];
    },
  },
  {
    attack: 'an id that was refused, now rightly signed',
    answer: 'refused signature',
    with(world, meter) {
      const command = limit(world, meter);
      const signed = world.signed(command);
      return [world.seal(meter, flipped(signed, signed.length - 1)), world.seal(meter, signed)];
    },
  },
];
