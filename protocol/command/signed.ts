import type { KeyObject } from 'node:crypto';
import { decodeCbor } from '../cbor/codec.ts';
import { CborError } from '../cbor/error.ts';
import { CborReader } from '../cbor/reader.ts';
import { CborWriter } from '../cbor/writer.ts';
import { ALG } from '../cose/algorithms.ts';
import { COSE_TAG, HEADER, sameBytes } from '../cose/message.ts';
import { signStructure } from '../cose/structures.ts';
import { HesError } from '../errors.ts';
import type { DeviceId, TenantId } from '../identity.ts';
import {
  CERTIFICATE_BYTES_MAX,
  COMMAND_BOUNDS,
  COMMAND_BYTES_MAX,
  COMMAND_SIGNED_BYTES_MAX,
  SIGNATURES_MAX,
} from '../limits.ts';
import {
  HEADER_BYTES_MAX,
  SIGNATURE_BYTES,
  type SignerKey,
  signEs256,
  signerHeader,
  verifyEs256,
} from '../signed.ts';
import { downTopic } from '../topics.ts';
import { type Command, commandTooLarge, decodeCommand, encodeCommand } from './command.ts';
import { type CommandId, commandIdOf } from './id.ts';
import { checkCount, PARTS, type Part } from './signers.ts';

/**
 * The inner layer of a command: COSE_Sign (RFC 9052 §4.1) with the signature of whoever proposes and, where the
 * command is critical, of whoever approves. Each is ES256 with its signer's certificate in its protected header.
 *
 * The signatures of a COSE_Sign know nothing of each other (§4.1): whoever carries it could drop one, repeat one or
 * have them change places. So the external_aad of each names its part beside the topic, a command has exactly as
 * many as its row says, and two are by two keys.
 */

/** Where a command belongs; its topic is t/{tenant}/{device}/down/command. */
export interface CommandBinding {
  readonly tenant: TenantId;
  readonly device: DeviceId;
}

export interface CommandSignature {
  readonly part: Part;
  /** DER, as the signer sent it. */
  readonly certificate: Uint8Array;
  readonly publicKey: KeyObject;
  readonly holds: boolean;
}

interface Signature {
  readonly header: Uint8Array;
  readonly certificate: Uint8Array;
  readonly signature: Uint8Array;
}

interface Signed {
  readonly payload: Uint8Array;
  readonly signatures: readonly Signature[];
}

const writer = new CborWriter(COMMAND_SIGNED_BYTES_MAX);
/** There is nothing to say about the payload that its signers do not say. */
const BODY_HEADER = new Uint8Array(0);

export function commandTopic({ tenant, device }: CommandBinding): Uint8Array {
  return Buffer.from(downTopic(tenant, device, 'command'), 'latin1');
}

function structureOf(
  binding: CommandBinding,
  part: Part,
  header: Uint8Array,
  payload: Uint8Array,
): Uint8Array {
  const aad = Buffer.concat([commandTopic(binding), Buffer.from(` ${part}`, 'latin1')]);
  return signStructure(BODY_HEADER, header, aad, payload);
}

function signAs(part: Part, binding: CommandBinding, payload: Uint8Array, signer: SignerKey): Signature {
  const { certificate, privateKey } = signer;
  const header = signerHeader(certificate);
  const signature = signEs256(structureOf(binding, part, header, payload), privateKey);
  return { header, certificate, signature };
}

function write({ payload, signatures }: Signed): Uint8Array {
  return writer.write(() => {
    writer.tag(COSE_TAG.sign);
    writer.array(4);
    writer.bytes(BODY_HEADER);
    writer.map(0);
    writer.bytes(payload);
    writer.array(signatures.length);
    for (const { header, signature } of signatures) {
      writer.array(3);
      writer.bytes(header);
      writer.map(0);
      writer.bytes(signature);
    }
  });
}

/**
 * Propose a command: the first signature, bound to the tenant and device that the command is for.
 * @throws what `encodeCommand` throws; ERR_ENVELOPE_SIZE for a certificate beyond its limit
 */
export function signCommand({
  command,
  signer,
}: {
  readonly command: Command;
  readonly signer: SignerKey;
}): Uint8Array {
  const payload = encodeCommand(command);
  return write({ payload, signatures: [signAs('propose', command, payload, signer)] });
}

/**
 * Approve a critical command: the second signature over the same bytes; the first stays as it is. Whoever approves
 * has verified the proposal before, with `verifyCommand` and the stage `proposed`, and read what it says.
 *
 * @throws ERR_COMMAND_SIGNATURES where the command needs no second signature or has it; ERR_COMMAND_SAME_KEY where
 *   the first is by the same certificate; what `decodeCommand` throws
 */
export function approveCommand({
  signed,
  signer,
}: {
  readonly signed: Uint8Array;
  readonly signer: SignerKey;
}): Uint8Array {
  const { payload, signatures } = readSigned(signed);
  const command = decodeCommand(payload);
  checkCount(command.type, signatures.length + 1, 'complete');
  if (sameBytes(signatures[0]!.certificate, signer.certificate)) throw sameKey();
  return write({ payload, signatures: [...signatures, signAs('approve', command, payload, signer)] });
}

/**
 * Every signature with its certificate, and whether it holds where it stands. Nothing is said about who they are.
 * @param keyOf the key of a certificate that the caller trusts; what it throws goes through
 * @throws ERR_COMMAND_SIZE, ERR_COMMAND_SIGNED, ERR_COMMAND_ALGORITHM
 */
export function checkSignatures(message: {
  readonly signed: Uint8Array;
  readonly binding: CommandBinding;
  readonly keyOf: (certificate: Uint8Array, part: Part) => KeyObject;
}): { readonly payload: Uint8Array; readonly signatures: readonly CommandSignature[] } {
  const { signed, binding, keyOf } = message;
  const { payload, signatures } = readSigned(signed);
  return {
    payload,
    signatures: signatures.map(({ header, certificate, signature }, index) => {
      const part = PARTS[index]!;
      const publicKey = keyOf(certificate, part);
      const holds = verifyEs256(structureOf(binding, part, header, payload), publicKey, signature);
      return { part, certificate, publicKey, holds };
    }),
  };
}

/**
 * A command, once every signature holds over its topic, by different keys, and as many as its row asks for. Who
 * they are, and whether their roles and persons will do, `keyOf` and `checkSigners` decide.
 *
 * @param message.stage `proposed`: exactly the first signature, whatever the row asks for in the end
 * @throws what `checkSignatures` and `decodeCommand` throw; ERR_COMMAND_SAME_KEY; ERR_COMMAND_SIGNATURE where one
 *   does not hold; ERR_COMMAND_SIGNATURES where there are too few or too many; ERR_COMMAND_OTHER where the command
 *   names another tenant or device than its signers bound it to
 */
export function verifyCommand(message: {
  readonly signed: Uint8Array;
  readonly binding: CommandBinding;
  readonly keyOf: (certificate: Uint8Array, part: Part) => KeyObject;
  readonly stage?: 'proposed' | 'complete';
}): {
  readonly command: Command;
  /** The bytes that were signed. */
  readonly payload: Uint8Array;
  readonly signatures: readonly CommandSignature[];
} {
  const { binding, stage = 'complete' } = message;
  const { payload, signatures } = checkSignatures(message);
  const [first, second] = signatures;
  if (second !== undefined && first!.publicKey.equals(second.publicKey)) throw sameKey();
  for (const { holds, part } of signatures)
    if (!holds)
      throw new HesError(
        'ERR_COMMAND_SIGNATURE',
        'altered, signed by another key, of another command or device, or in another place',
        { context: { part } },
      );
  const command = decodeCommand(payload);
  if (command.tenant !== binding.tenant || command.device !== binding.device)
    throw new HesError('ERR_COMMAND_OTHER', 'the command is for another tenant or device than its topic');
  checkCount(command.type, signatures.length, stage);
  return { command, payload, signatures };
}

/** The key of a command's id (command.ts); every version keeps it. */
const ID_KEY = 4;

/**
 * The id that a message claims, unverified, of whatever version and type: it only names the command in an answer
 * that refuses it. Undefined where there is none.
 */
export function claimedCommandId(signed: Uint8Array): CommandId | undefined {
  try {
    const command = decodeCbor(readSigned(signed).payload, COMMAND_BOUNDS);
    const id: unknown = command instanceof Map ? command.get(ID_KEY) : undefined;
    return id instanceof Uint8Array ? commandIdOf(id) : undefined;
  } catch {
    return undefined;
  }
}

function readSigned(signed: Uint8Array): Signed {
  if (signed.length > COMMAND_SIGNED_BYTES_MAX)
    throw commandTooLarge(signed.length, COMMAND_SIGNED_BYTES_MAX);
  return asSigned(() => {
    const reader = new CborReader(signed);
    reader.tag(COSE_TAG.sign);
    reader.array(4, 4);
    reader.bytesOf(BODY_HEADER.length);
    reader.map(0, 0);
    const payload = reader.bytes(COMMAND_BYTES_MAX);
    const count = reader.array(1, SIGNATURES_MAX);
    const signatures: Signature[] = [];
    while (signatures.length < count) {
      reader.array(3, 3);
      const header = reader.bytes(HEADER_BYTES_MAX);
      reader.map(0, 0);
      signatures.push({
        header,
        certificate: certificateOf(header),
        signature: reader.bytesOf(SIGNATURE_BYTES),
      });
    }
    reader.end();
    return { payload, signatures };
  });
}

function certificateOf(header: Uint8Array): Uint8Array {
  const reader = new CborReader(header);
  reader.map(2, 2);
  reader.expect(HEADER.alg);
  if (reader.integer() !== ALG.ES256)
    throw new HesError('ERR_COMMAND_ALGORITHM', 'a signature of another algorithm than ES256');
  reader.expect(HEADER.x5chain);
  const certificate = reader.bytes(CERTIFICATE_BYTES_MAX);
  if (certificate.length === 0) reader.fail('ERR_CBOR_SCHEMA', 'expected a certificate');
  reader.end();
  return certificate;
}

function asSigned<T>(step: () => T): T {
  try {
    return step();
  } catch (cause) {
    if (cause instanceof CborError)
      throw new HesError('ERR_COMMAND_SIGNED', `not a signed command: ${cause.message}`, { cause });
    throw cause;
  }
}

function sameKey(): HesError {
  return new HesError('ERR_COMMAND_SAME_KEY', 'both signatures are by one key');
}
