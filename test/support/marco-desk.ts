import { randomBytes } from 'node:crypto';
import type { Desk } from '../../gateway/desk/desk.ts';
import type { Clock } from '../../gateway/runtime/clock.ts';
import type { Command, CommandBody } from '../../protocol/command/command.ts';
import { type CommandId, commandIdOf } from '../../protocol/command/id.ts';
import { approveCommand, signCommand } from '../../protocol/command/signed.ts';
import { type ArgumentsOf, type CommandType, rowOf } from '../../protocol/command/table.ts';
import type { SignerKey } from '../../protocol/envelope.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';

/** A desk as its clients see it, whichever way they reach it: what they sign goes in, states come out. */

export interface Proposal {
  readonly device: DeviceId;
  readonly signed: Uint8Array;
}

export interface Told {
  readonly id: CommandId;
  readonly state: string;
  readonly code: string | null;
}

/** A line of a bulk call: what became of a proposal, or why it was refused. */
export type Answer = Told | { readonly refused: string };

export interface DeskFace {
  propose(proposal: Proposal): Promise<Told>;
  /** Many in one call; answers in their order. */
  bulk(proposals: readonly Proposal[]): Promise<readonly Answer[]>;
  show(id: CommandId): Promise<Told & { readonly signed: Uint8Array }>;
  approve(id: CommandId, signed: Uint8Array): Promise<Told>;
}

/** The desk of the same process, with nothing in between. */
export function directFace(desk: Desk): DeskFace {
  return {
    propose: (proposal) => desk.propose(proposal),
    bulk: (proposals) =>
      Promise.all(
        proposals.map(async (proposal): Promise<Answer> => {
          try {
            return await desk.propose(proposal);
          } catch (error) {
            if (!isHesError(error)) throw error;
            return { refused: error.code };
          }
        }),
      ),
    async show(id) {
      const { stored, signed } = await desk.show(id);
      return { id, state: stored.state, code: stored.code, signed };
    },
    approve: (id, signed) => desk.approve({ id, signed }),
  };
}

/** A person or a system with a key: signs where it is decided, with a counter that only rises. */
export class Hand {
  readonly #tenant: TenantId;
  readonly #signer: SignerKey;
  readonly #clock: Clock;
  #lastCounter = 0;

  constructor(tenant: TenantId, signer: SignerKey, clock: Clock) {
    this.#tenant = tenant;
    this.#signer = signer;
    this.#clock = clock;
  }

  propose<T extends CommandType>(
    device: DeviceId,
    type: T,
    args: ArgumentsOf<T>,
    reason: string | null = null,
  ): Proposal & { readonly id: CommandId } {
    const nowMs = this.#clock.nowMs();
    const now = Math.floor(nowMs / 1_000);
    this.#lastCounter = Math.max(nowMs, this.#lastCounter + 1);
    const id = commandIdOf(randomBytes(16));
    const body = { type, arguments: args } as unknown as CommandBody;
    const command: Command = {
      version: 1,
      tenant: this.#tenant,
      device,
      id,
      counter: this.#lastCounter,
      notBefore: now,
      expiry: now + rowOf(type).expirySeconds,
      reason,
      ...body,
    };
    return { id, device, signed: signCommand({ command, signer: this.#signer }) };
  }

  approve(signed: Uint8Array): Uint8Array {
    return approveCommand({ signed, signer: this.#signer });
  }
}

/** The person whose signature a cut needs beside the system's. */
export async function approveAll(desk: DeskFace, person: Hand, ids: readonly CommandId[]): Promise<void> {
  for (const id of ids) await desk.approve(id, person.approve((await desk.show(id)).signed));
}
