import { asMessageError } from '../cbor/error.ts';
import { CborReader } from '../cbor/reader.ts';
import { always, fields, unlessEmpty } from '../cbor/record.ts';
import { byteString, integer, list } from '../cbor/shape.ts';
import { CborWriter } from '../cbor/writer.ts';
import { HesError } from '../errors.ts';
import type { DeviceId, TenantId } from '../identity.ts';
import { DEVICE_SHAPE, TENANT_SHAPE } from '../identity-shape.ts';
import { METERS_MAX, OUTCOME_SIGNED_BYTES_MAX, PAYLOAD_BYTES_MAX, SEQUENCE_MAX } from '../limits.ts';
import { METER_SHAPE } from '../payload.ts';
import type { MeterReading } from '../reading.ts';
import { RESULT_VERSION } from './outcome.ts';

/**
 * The payload of t/{tenant}/{device}/up/result: an outcome for the desk and what was read for the MDM. The router
 * opens it like every uplink, gives each its part, and answers with a receipt: `sequence` is what that names.
 */
export interface CommandResult {
  readonly version: 1;
  readonly tenant: TenantId;
  readonly device: DeviceId;
  /** Strictly rising per device and tenant, among results. */
  readonly sequence: number;
  /** What `signOutcome` made. It goes to the desk as it is. */
  readonly outcome: Uint8Array;
  /** What `read.now` read; empty for every other command, and never for the desk. */
  readonly meters: readonly MeterReading[];
}

const resultShape = fields<CommandResult>({
  version: always(1, RESULT_VERSION),
  tenant: always(2, TENANT_SHAPE),
  device: always(3, DEVICE_SHAPE),
  // The key of an index's sequence too: `claimedSequence` finds either.
  sequence: always(4, integer(1, SEQUENCE_MAX)),
  outcome: always(5, byteString(1, OUTCOME_SIGNED_BYTES_MAX)),
  meters: unlessEmpty(6, list(METER_SHAPE, 0, METERS_MAX)),
});

const CODES = { schema: 'ERR_RESULT_SCHEMA', form: 'ERR_RESULT_CBOR' } as const;
const writer = new CborWriter(PAYLOAD_BYTES_MAX);

/** @throws ERR_RESULT_SCHEMA, and ERR_RESULT_CBOR where the whole is larger than PAYLOAD_BYTES_MAX */
export function encodeResult(result: CommandResult): Uint8Array {
  try {
    return writer.write(() => resultShape.write(writer, result));
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

/** @throws ERR_RESULT_CBOR, ERR_RESULT_VERSION, ERR_RESULT_SCHEMA */
export function decodeResult(bytes: Uint8Array): CommandResult {
  if (bytes.length > PAYLOAD_BYTES_MAX)
    throw new HesError('ERR_RESULT_CBOR', 'the result is larger than the limit', {
      context: { length: bytes.length, lengthMax: PAYLOAD_BYTES_MAX },
    });
  try {
    const reader = new CborReader(bytes);
    const result = resultShape.read(reader);
    reader.end();
    return result;
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}
