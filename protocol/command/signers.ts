import { HesError } from '../errors.ts';
import { ROLES, type Role } from './roles.ts';
import { type CommandType, rowOf } from './table.ts';

/** Somebody whose signature held and whose certificate is trusted: what that certificate says about him. */
export interface Signer {
  readonly role: Role;
  /** Who it is, whatever keys he has: a person's or a system's name within the tenant. */
  readonly person: string;
}

/**
 * Whether these signers, in the order of their signatures, may have a command executed: the one rule of desk and
 * meter. A critical command is two signers: the first may be a system, the second is always another person.
 *
 * @param stage `proposed` asks for the first signature alone
 * @throws ERR_COMMAND_SIGNATURES, ERR_COMMAND_ROLE, ERR_COMMAND_SAME_PERSON
 */
export function checkSigners(
  type: CommandType,
  signers: readonly Signer[],
  stage: 'proposed' | 'complete' = 'complete',
): void {
  const row = rowOf(type);
  checkCount(type, signers.length, stage);
  signers.forEach(({ role }, index) => {
    const roles = index === 0 ? row.propose : row.approve;
    if (!roles.includes(role) || (index > 0 && ROLES[role].kind !== 'person'))
      throw new HesError('ERR_COMMAND_ROLE', `the role ${role} may not ${PARTS[index]!} ${type}`, {
        context: { type, role, part: PARTS[index]! },
      });
  });
  if (new Set(signers.map(({ person }) => person)).size < signers.length)
    throw new HesError('ERR_COMMAND_SAME_PERSON', 'a critical command is signed by two different people', {
      context: { type },
    });
}

/** What a signature is, by its place: bound into what it signs, so that no signature serves in another place. */
export const PARTS = ['propose', 'approve'] as const;
export type Part = (typeof PARTS)[number];

/** @throws ERR_COMMAND_SIGNATURES */
export function checkCount(type: CommandType, signatures: number, stage: 'proposed' | 'complete'): void {
  const needed = stage === 'proposed' ? 1 : rowOf(type).signatures;
  if (signatures !== needed)
    throw new HesError('ERR_COMMAND_SIGNATURES', `${type} has ${signatures} signatures and needs ${needed}`, {
      context: { type, signatures, needed },
    });
}
