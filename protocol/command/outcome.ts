import type { KeyObject } from 'node:crypto';
import { asMessageError, CborError } from '../cbor/error.ts';
import { CborReader } from '../cbor/reader.ts';
import { always, fields, unlessNull } from '../cbor/record.ts';
import { choice, integer } from '../cbor/shape.ts';
import { versionOne } from '../cbor/version.ts';
import { CborWriter } from '../cbor/writer.ts';
import { HesError } from '../errors.ts';
import type { DeviceId, TenantId } from '../identity.ts';
import { DEVICE_SHAPE, TENANT_SHAPE } from '../identity-shape.ts';
import { EPOCH_SECONDS_MAX, OUTCOME_BYTES_MAX } from '../limits.ts';
import { type SignerKey, signPayload, verifySigned } from '../signed.ts';
import { upTopic } from '../topics.ts';
import { RESULT_CODES, type ResultCode } from './codes.ts';
import { COMMAND_ID_SHAPE, type CommandId } from './id.ts';

/**
 * What became of a command, signed by the device for the desk. It holds no reading, so that the desk can keep it
 * and check it by itself: neither the router nor the bus between them is believed.
 */
export type Outcome = {
  readonly tenant: TenantId;
  readonly device: DeviceId;
  readonly command: CommandId;
  /** Epoch seconds, the device's clock. */
  readonly time: number;
} & (
  | { readonly state: 'executed'; readonly code: null }
  | { readonly state: 'refused' | 'failed'; readonly code: ResultCode }
);

export type OutcomeState = Outcome['state'];

interface Wire {
  readonly version: 1;
  readonly tenant: TenantId;
  readonly device: DeviceId;
  readonly command: CommandId;
  readonly state: OutcomeState;
  readonly time: number;
  readonly code: ResultCode | null;
}

const STATES: Readonly<Record<OutcomeState, number>> = { executed: 0, refused: 1, failed: 2 };
const CODE_NUMBERS = Object.fromEntries(
  Object.entries(RESULT_CODES).map(([code, { number }]) => [code, number]),
) as Readonly<Record<ResultCode, number>>;

export const RESULT_VERSION = versionOne('ERR_RESULT_VERSION', 'a version of results');

const wireShape = fields<Wire>({
  version: always(1, RESULT_VERSION),
  tenant: always(2, TENANT_SHAPE),
  device: always(3, DEVICE_SHAPE),
  command: always(4, COMMAND_ID_SHAPE),
  state: always(5, choice(STATES)),
  time: always(6, integer(0, EPOCH_SECONDS_MAX)),
  code: unlessNull(7, choice<ResultCode>(CODE_NUMBERS)),
});

const CODES = { schema: 'ERR_RESULT_SCHEMA', form: 'ERR_RESULT_CBOR' } as const;
const writer = new CborWriter(OUTCOME_BYTES_MAX);

function outcomeOf({ tenant, device, command, state, time, code }: Wire): Outcome {
  const about = { tenant, device, command, time };
  if (state === 'executed' && code === null) return { ...about, state, code };
  if (state !== 'executed' && code !== null && RESULT_CODES[code].state === state)
    return { ...about, state, code };
  throw new CborError('ERR_CBOR_SCHEMA', 'expected a state with what belongs to it, and nothing else');
}

/** @throws ERR_RESULT_SCHEMA */
export function encodeOutcome(outcome: Outcome): Uint8Array {
  try {
    const { tenant, device, command, state, time, code } = outcome;
    const wire: Wire = { version: 1, tenant, device, command, state, time, code };
    const bytes = writer.write(() => wireShape.write(writer, wire));
    outcomeOf(wire);
    return bytes;
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

/** @throws ERR_RESULT_CBOR, ERR_RESULT_VERSION, ERR_RESULT_SCHEMA */
export function decodeOutcome(bytes: Uint8Array): Outcome {
  try {
    const reader = new CborReader(bytes);
    const outcome = outcomeOf(wireShape.read(reader));
    reader.end();
    return outcome;
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

/** The topic of results and, after it, what tells an outcome from the message that carries it. */
const outcomeAad = ({ tenant, device }: { tenant: TenantId; device: DeviceId }): Uint8Array =>
  Buffer.from(`${upTopic(tenant, device, 'result')} outcome`, 'latin1');

/**
 * COSE_Sign1 by the device's signature key, like an uplink's and never mistaken for one.
 * @throws ERR_RESULT_SCHEMA, ERR_ENVELOPE_SIZE
 */
export function signOutcome({
  outcome,
  signer,
}: {
  readonly outcome: Outcome;
  readonly signer: SignerKey;
}): Uint8Array {
  return signPayload(encodeOutcome(outcome), outcomeAad(outcome), signer);
}

/**
 * What a device says of a command; its certificate is `readSigner`'s and the caller's to trust.
 * @throws ERR_ENVELOPE_SIGNED; ERR_ENVELOPE_SIGNATURE where it does not hold: altered, by another key, or of another
 *   tenant, device or kind; ERR_RESULT_*; ERR_RESULT_OTHER where it is about something else than `about`
 */
export function verifyOutcome(message: {
  readonly signed: Uint8Array;
  readonly about: { readonly tenant: TenantId; readonly device: DeviceId; readonly command?: CommandId };
  readonly publicKey: KeyObject;
}): Outcome {
  const { signed, about, publicKey } = message;
  const outcome = decodeOutcome(verifySigned(signed, outcomeAad(about), publicKey));
  if (
    outcome.tenant !== about.tenant ||
    outcome.device !== about.device ||
    (about.command !== undefined && outcome.command !== about.command)
  )
    throw new HesError('ERR_RESULT_OTHER', 'about another tenant, device or command');
  return outcome;
}
