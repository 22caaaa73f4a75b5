import { type CborValue, decodeCbor, encodeCbor } from '../cbor/codec.ts';
import { encodeCommand } from '../command/command.ts';
import type { CommandId } from '../command/id.ts';
import { openCommand, sealCommand } from '../command/sealed.ts';
import {
  approveCommand,
  type CommandBinding,
  commandTopic,
  signCommand,
  verifyCommand,
} from '../command/signed.ts';
import type { SignerKey } from '../envelope.ts';
import { isHesError } from '../errors.ts';
import type { DeviceId } from '../identity.ts';
import { signEs256 } from '../signed.ts';
import { sampleCommand, samplePeople } from './command-samples.ts';
import { SAMPLE_DEVICE, SAMPLE_TENANT, sampleOperator } from './samples.ts';

/**
 * What somebody between the signers and a device has to attack with: all that passes him, the public key of every
 * device, and no private key; for what somebody inside could do, `signedBytes`.
 */
export const BOUNDS = { bytesMax: 20_000, depthMax: 8, itemsMax: 200 };
export const binding: CommandBinding = { tenant: SAMPLE_TENANT, device: SAMPLE_DEVICE };
export const elsewhere = { ...binding, device: 'fedcba9876543210' as DeviceId };
/** A device's key agreement: the same pair as an operator's sealing key. */
export const device = sampleOperator();
export const { signers, keyOf } = samplePeople('ann', 'bea', 'bob');
export const { ann, bea, bob } = signers;

export const routine = sampleCommand('p1.set');
export const critical = sampleCommand('breaker.open');
export const other = sampleCommand('breaker.open', {
  id: 'ff'.repeat(16) as CommandId,
  counter: critical.counter + 1,
});
export const approved = (command = critical, first = ann, second = bea): Uint8Array =>
  approveCommand({ signed: signCommand({ command, signer: first }), signer: second });

export const signedRoutine = signCommand({ command: routine, signer: ann });
export const signedCritical = approved();
export const sealed = sealCommand({ signed: signedCritical, binding, recipient: device.recipient });

/** What a device does with bytes that came by its topic: the code that refuses them, or `executed`. */
export function deviceTakes(bytes: Uint8Array, at: CommandBinding = binding): string {
  return codeOf(() => {
    const signed = openCommand({ sealed: bytes, binding: at, keys: [device.key] });
    verifyCommand({ signed, binding: at, keyOf });
  });
}
/** The same of a carrier who seals by himself, since the device's public key is no secret. */
export const resealed = (signed: Uint8Array, at: CommandBinding = binding): string =>
  deviceTakes(sealCommand({ signed, binding: at, recipient: device.recipient }), at);

export function codeOf(step: () => unknown): string {
  try {
    step();
    return 'executed';
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.code;
  }
}

export type Part = [header: Uint8Array, unprotected: CborValue, signature: Uint8Array];
/** A signed command as generic CBOR, one part changed. */
export function edited(
  signed: Uint8Array,
  change: (message: CborValue[], parts: Part[]) => void,
): Uint8Array {
  const message = decodeCbor(signed.subarray(2), BOUNDS) as CborValue[];
  change(message, message[3] as unknown as Part[]);
  return Buffer.concat([signed.subarray(0, 2), encodeCbor(message, BOUNDS)]);
}
export const partsOf = (signed: Uint8Array): Part[] => {
  let found: Part[] = [];
  edited(signed, (_, parts) => {
    found = [...parts];
  });
  return found;
};
export const withParts = (signed: Uint8Array, ...parts: readonly Part[]): Uint8Array =>
  edited(signed, (message) => {
    message[3] = parts as unknown as CborValue;
  });

/** Sign whatever bytes as a payload: somebody inside whose tools are his own. */
export function signedBytes(payload: Uint8Array, at = binding, signer: SignerKey = ann): Uint8Array {
  return edited(signCommand({ command: routine, signer }), (message, parts) => {
    message[1] = new Map();
    message[2] = payload;
    const aad = Buffer.concat([commandTopic(at), Buffer.from(' propose')]);
    const structure = encodeCbor(['Signature', new Uint8Array(0), parts[0]![0], aad, payload], BOUNDS);
    parts[0]![2] = signEs256(structure, signer.privateKey);
  });
}
export const payloadOf = (command = routine): Buffer => Buffer.from(encodeCommand(command));
export const header = (entries: readonly (readonly [number, CborValue])[]): Uint8Array =>
  encodeCbor(new Map(entries), BOUNDS);

export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
}

/** The ephemeral point with its other y: ECDH takes only x, and gives the same secret. */
export function mirrored(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  const y = copy.subarray(-33, -1);
  const prime = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
  y.set(Buffer.from((prime - BigInt(`0x${y.toString('hex')}`)).toString(16).padStart(64, '0'), 'hex'));
  return copy;
}
