import { ROLES, type Role } from '../../../protocol/command/roles.ts';
import type { Signer } from '../../../protocol/command/signers.ts';
import { type CommandType, rowOf } from '../../../protocol/command/table.ts';
import { deskError } from '../errors.ts';

/** Who may stop a command, and who may let go on what was held. Signatures are protocol/command's `checkSigners`. */

/** Roles that release: those whose office is the second look. */
const RELEASE: readonly Role[] = ['approver'];

/**
 * Cancelling makes nothing happen, so whoever could have signed it may: somebody who sees a wrong cut in the queue
 * should not have to look for its proposer.
 * @throws ERR_DESK_ROLE
 */
export function checkCanceller(type: CommandType, { role }: Signer): void {
  const row = rowOf(type);
  if (!row.propose.includes(role) && !row.approve.includes(role) && !RELEASE.includes(role))
    throw deskError('ERR_DESK_ROLE', `the role ${role} may not cancel ${type}`, { context: { type, role } });
}

/** @throws ERR_DESK_ROLE, ERR_DESK_SAME_PERSON */
export function checkReleaser(proposer: string, { role, person }: Signer): void {
  if (!RELEASE.includes(role) || ROLES[role].kind !== 'person')
    throw deskError('ERR_DESK_ROLE', `the role ${role} releases nothing`, { context: { role } });
  if (person === proposer)
    throw deskError('ERR_DESK_SAME_PERSON', 'whoever proposed a command does not release it');
}
