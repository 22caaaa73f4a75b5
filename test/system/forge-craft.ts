import { type Command, encodeCommand } from '../../protocol/command/command.ts';
import { approveCommand, signCommand } from '../../protocol/command/signed.ts';
import type { SignerKey } from '../../protocol/envelope.ts';
import { edited } from '../../protocol/testing/command-attacker.ts';
import type { Carried, ForgeWorld, Meter } from './forge-world.ts';

/**
 * What somebody who holds front, bus, database and the desk's TLS key may try at a meter: one row each. `before` is
 * carried honestly and executed; then the attack is carried. Of several messages the last one's answer counts; none
 * may move anything.
 */
export interface Attack {
  readonly attack: string;
  readonly answer: string;
  /** The order that the attacker saw pass. */
  readonly before?: (world: ForgeWorld, meter: Meter) => Command;
  readonly with: (
    world: ForgeWorld,
    meter: Meter,
    seen: Seen,
  ) => Promise<readonly Carried[]> | readonly Carried[];
}

/** The honest order that went before, as it was and as it was carried. */
export interface Seen {
  readonly command: Command;
  readonly signed: Uint8Array;
  readonly carried: Carried;
}

type Make = (world: ForgeWorld, meter: Meter, change?: Partial<Command>) => Command;
export const port: Make = (world, meter, change) => world.command(meter, 'p1.set', { on: false }, change);
export const cut: Make = (world, meter, change) =>
  world.command(meter, 'breaker.open', { cause: 'safety' }, change);
export const limit: Make = (world, meter, change) =>
  world.command(meter, 'limiter.set', { powerW: 2_300 }, change);
export const say: Make = (world, meter, change) =>
  world.command(meter, 'display.message', { text: 'hello', until: nowSeconds() + 3_600 }, change);
export const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

/** The same signatures over other bytes. */
export const withPayload = (signed: Uint8Array, command: Command): Uint8Array =>
  edited(signed, (message) => {
    message[1] = new Map();
    message[2] = encodeCommand(command);
  });

/** Signed by these, whether they may or not. */
export const by = (command: Command, ...signers: readonly SignerKey[]): Uint8Array => {
  const [first, second] = signers;
  const proposal = signCommand({ command, signer: first! });
  return second === undefined ? proposal : approveCommand({ signed: proposal, signer: second });
};

export const SEVERAL_HOURS_MS = 4 * 3_600_000;

/** An honest order of each kind. */
export const honest = { port, cut, limit, say };
