import { createPublicKey, randomBytes } from 'node:crypto';
import type { Command } from '../../../../protocol/command/command.ts';
import { type CommandId, commandIdOf } from '../../../../protocol/command/id.ts';
import type { Role } from '../../../../protocol/command/roles.ts';
import { approveCommand, signCommand } from '../../../../protocol/command/signed.ts';
import { type ArgumentsOf, type CommandType, rowOf } from '../../../../protocol/command/table.ts';
import type { SignerKey } from '../../../../protocol/envelope.ts';
import type { DeviceId, TenantId } from '../../../../protocol/identity.ts';
import { sampleCommand } from '../../../../protocol/testing/command-samples.ts';
import { sampleSigner } from '../../../../protocol/testing/samples.ts';
import type { Trust } from '../accept.ts';

/** People and systems that sign for meters in tests, and a trust in exactly them. */

export const DEVICE = '00112233445566ff' as DeviceId;
export const ORES = 'ores' as TenantId;
export const FARYS = 'farys' as TenantId;
export const RESA = 'resa' as TenantId;

interface Person {
  readonly tenant: TenantId;
  readonly person: string;
  readonly role: Role;
}

const PEOPLE = {
  ann: { tenant: ORES, person: 'ann', role: 'operator' },
  annAgain: { tenant: ORES, person: 'ann', role: 'approver' },
  bob: { tenant: ORES, person: 'bob', role: 'operator' },
  bea: { tenant: ORES, person: 'bea', role: 'approver' },
  sue: { tenant: ORES, person: 'sue', role: 'supervisor' },
  pam: { tenant: ORES, person: 'pam', role: 'prepayment' },
  marco: { tenant: ORES, person: 'marco', role: 'marco' },
  lopex: { tenant: ORES, person: 'lopex', role: 'lopex' },
  rik: { tenant: RESA, person: 'rik', role: 'operator' },
  rob: { tenant: RESA, person: 'rob', role: 'approver' },
  wim: { tenant: FARYS, person: 'wim', role: 'operator' },
  wil: { tenant: FARYS, person: 'wil', role: 'approver' },
} as const satisfies Readonly<Record<string, Person>>;
export type Name = keyof typeof PEOPLE;

const KEYS = Object.fromEntries(
  [...Object.keys(PEOPLE), 'stranger'].map((name) => [
    name,
    {
      privateKey: sampleSigner().signer.privateKey,
      certificate: Buffer.from(`certificate of ${name}`.padEnd(480, '.')),
    },
  ]),
) as unknown as Readonly<Record<Name | 'stranger', SignerKey>>;

export const keyOf = (name: Name | 'stranger'): SignerKey => KEYS[name];

export const trust: Trust = (certificate) => {
  for (const [name, about] of Object.entries(PEOPLE)) {
    const key = KEYS[name as Name];
    if (Buffer.compare(key.certificate, certificate) === 0)
      return { ...about, publicKey: createPublicKey(key.privateKey) };
  }
  throw new Error('nobody that is trusted');
};

let lastCounterMs = 0;

/** A command of now, whole; its counter rises by itself. */
export function commandOf<T extends CommandType>(
  type: T,
  args: ArgumentsOf<T>,
  nowMs: number,
  change: Partial<Command> = {},
): Command {
  lastCounterMs =
    lastCounterMs > nowMs + 60_000 || lastCounterMs < nowMs - 60_000 ? nowMs : lastCounterMs + 1;
  const now = Math.floor(nowMs / 1_000);
  return sampleCommand(type, {
    tenant: ORES,
    device: DEVICE,
    id: freshId(),
    counter: lastCounterMs,
    notBefore: now,
    expiry: now + rowOf(type).expirySeconds,
    ...({ arguments: args } as object),
    ...change,
  });
}

export const freshId = (): CommandId => commandIdOf(randomBytes(16));

/** Signed by whom it needs, or by whom is named. */
export function signed(command: Command, first: Name = 'ann', second: Name = 'bea'): Uint8Array {
  const proposal = signCommand({ command, signer: KEYS[first] });
  return rowOf(command.type).signatures === 1
    ? proposal
    : approveCommand({ signed: proposal, signer: KEYS[second] });
}
