import type { KeyObject } from 'node:crypto';
import type { ResultCode } from '../../../protocol/command/codes.ts';
import { type Command, validityAt } from '../../../protocol/command/command.ts';
import type { CommandId } from '../../../protocol/command/id.ts';
import { claimedCommandId, verifyCommand } from '../../../protocol/command/signed.ts';
import { checkSigners, type Part, type Signer } from '../../../protocol/command/signers.ts';
import { rowOf } from '../../../protocol/command/table.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { type Circumstances, decide, isOwnersCommand } from './commands.ts';
import { canDo, type Installation } from './installation.ts';
import { type CounterUse, counterOf, type Ledger, type SignerId, signerIdOf } from './ledger.ts';
import { AHEAD_SECONDS_MAX } from './limits.ts';
import type { Step } from './step.ts';

/** What a meter checks before it acts: first who says it, then whether he may say it here and now. */

/** What a trusted certificate says of its holder. */
export interface Trusted extends Signer {
  readonly tenant: TenantId;
  readonly publicKey: KeyObject;
}

/** The key and the words of a certificate that is trusted at this moment; throws where it is not. */
export type Trust = (certificate: Uint8Array, part: Part) => Trusted;

/** What was opened (`openCommand`), and whose topic it came by. */
export interface Opened {
  readonly signed: Uint8Array;
  readonly tenant: TenantId;
}

export type Proof =
  | { readonly proven: true; readonly command: Command; readonly signer: SignerId }
  /** Whose it is nobody knows; the id is only claimed. */
  | { readonly proven: false; readonly code: ResultCode; readonly id: CommandId | undefined };

const CODE_OF_ERROR: Readonly<Record<string, ResultCode>> = {
  ERR_COMMAND_SIZE: 'signature',
  ERR_COMMAND_SIGNED: 'signature',
  ERR_COMMAND_ALGORITHM: 'signature',
  ERR_COMMAND_SIGNATURE: 'signature',
  ERR_COMMAND_SIGNATURES: 'signature',
  ERR_COMMAND_SAME_KEY: 'people',
  ERR_COMMAND_SAME_PERSON: 'people',
  ERR_COMMAND_ROLE: 'role',
  ERR_COMMAND_OTHER: 'device',
  ERR_COMMAND_VERSION: 'unsupported',
  ERR_COMMAND_TYPE: 'unsupported',
  ERR_COMMAND_CBOR: 'arguments',
  ERR_COMMAND_SCHEMA: 'arguments',
  ERR_COMMAND_RULE: 'arguments',
};

/** Who says it: every signature holds, each signer is trusted, of the topic's tenant, and has the role for it. */
export function prove(opened: Opened, installation: Installation, trust: Trust): Proof {
  const { signed, tenant } = opened;
  const unproven = (code: ResultCode): Proof => ({ proven: false, code, id: claimedCommandId(signed) });
  const { device, home, meters } = installation;
  // There is no key that an answer to a stranger could be sealed to.
  if (tenant !== home && !meters.some(({ owner }) => owner === tenant))
    return { proven: false, code: 'device', id: undefined };
  const signers: Trusted[] = [];
  let isTrusted = true;
  const keyOf = (certificate: Uint8Array, part: Part): KeyObject => {
    try {
      const signer = trust(certificate, part);
      signers.push(signer);
      if (signer.tenant !== tenant) isTrusted = false;
      return signer.publicKey;
    } catch (error) {
      isTrusted = false;
      throw error;
    }
  };
  try {
    const { command } = verifyCommand({ signed, binding: { tenant, device }, keyOf });
    if (!isTrusted) return unproven('signer');
    checkSigners(command.type, signers);
    return { proven: true, command, signer: signerIdOf(tenant, signers[0]!.person) };
  } catch (error) {
    if (!isTrusted) return unproven('signer');
    const code = isHesError(error) ? CODE_OF_ERROR[error.code] : undefined;
    // A fault of ours acts on nothing either.
    return unproven(code ?? 'internal');
  }
}

export interface Moment extends Circumstances {
  /** Whether the meter's clock was ever set. */
  readonly clockSet: boolean;
}

export type Judgement =
  | { readonly take: Step; readonly counter: CounterUse }
  /**
   * `counter` is used up, so that what was refused stays refused; null where it is below the last already, or where
   * it may not be. `burns`: then only the id itself can be remembered.
   */
  | { readonly code: ResultCode; readonly counter: CounterUse | null; readonly burns: boolean };

/** Whether he may say it here and now, and where it would lead to. */
export function judge(command: Command, signer: SignerId, ledger: Ledger, moment: Moment): Judgement {
  const row = rowOf(command.type);
  const counter: CounterUse = { signer, name: row.counter, counter: command.counter };
  const refuse = (code: ResultCode): Judgement => ({ code, counter, burns: false });
  // A counter from far ahead would lock its signer out, and without a clock nobody knows which one is.
  const burn = (code: ResultCode): Judgement => ({ code, counter: null, burns: true });
  if (row.judgedBy === 'clock') {
    if (!moment.clockSet) return burn('clock');
    if (command.counter > (moment.now + AHEAD_SECONDS_MAX) * 1_000) return burn('counter');
  }
  if (command.counter <= counterOf(ledger, signer, row.counter))
    return { code: 'counter', counter: null, burns: false };
  if (!mayCommand(command, moment.installation)) return refuse('owner');
  if (row.judgedBy === 'clock') {
    const validity = validityAt(command, moment.now);
    if (validity !== 'valid') return refuse(validity);
  }
  if (ledger.state.airplane !== null) return refuse('airplane');
  if (!canDo(moment.installation, command.type)) return refuse('unsupported');
  const decision = decideSafely(ledger, command, moment);
  return typeof decision === 'string' ? refuse(decision) : { take: decision, counter };
}

function mayCommand(command: Command, installation: Installation): boolean {
  return rowOf(command.type).scope === 'device'
    ? command.tenant === installation.home
    : isOwnersCommand(command, installation);
}

function decideSafely(ledger: Ledger, command: Command, moment: Moment): Step | ResultCode {
  try {
    return decide(ledger.state, command, moment);
  } catch {
    return 'internal';
  }
}
