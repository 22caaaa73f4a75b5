import { HesError } from '../../../protocol/errors.ts';
import type { ModbusErrorCode } from './errors.ts';

/** What happens after a fault: asked again at once, or not (asking again would give the same answer). */
export interface Fault {
  readonly code: ModbusErrorCode;
  readonly message: string;
  /** The line may hold the rest of an answer: it is closed, left quiet and opened again. */
  readonly dirty: boolean;
  readonly again: boolean;
}

const line = (code: ModbusErrorCode, message: string): Fault => ({ code, message, dirty: true, again: true });
const said = (code: ModbusErrorCode, message: string, again = false): Fault => ({
  code,
  message,
  dirty: false,
  again,
});

/** Modbus Application Protocol V1.1b3 §7. */
const EXCEPTIONS: Readonly<Record<number, Fault>> = {
  1: said('ERR_MODBUS_FUNCTION', 'the meter does not know this function'),
  2: said('ERR_MODBUS_ADDRESS', 'the meter has no register at this address'),
  3: said('ERR_MODBUS_VALUE', 'the meter refuses so many registers at once'),
  4: said('ERR_MODBUS_DEVICE', 'the meter reports a fault of its own'),
  5: said('ERR_MODBUS_BUSY', 'the meter has not finished', true),
  6: said('ERR_MODBUS_BUSY', 'the meter is busy', true),
  10: said('ERR_MODBUS_GATEWAY', 'the gateway has no path to this unit'),
  11: said('ERR_MODBUS_GATEWAY', 'the unit behind the gateway does not answer'),
};

/**
 * modbus-serial tells its faults by text; these are all that a read can end with (index.js of 8.0.25). The tests
 * provoke each one over a real socket, so that another version that says it otherwise fails them.
 */
const TEXTS: readonly (readonly [RegExp, Fault])[] = [
  [/^Timed out$/, line('ERR_MODBUS_TIMEOUT', 'no answer in time')],
  [/^CRC error$/, line('ERR_MODBUS_CRC', 'an answer with a wrong checksum')],
  [/^Data length error/, line('ERR_MODBUS_FRAME', 'an answer of another length than asked for')],
  [/^Unexpected data error, expected address/, line('ERR_MODBUS_UNIT', 'another unit answered')],
  [/^Unexpected data error, expected code/, line('ERR_MODBUS_FRAME', 'an answer to another function')],
  [/^Port Not Open$/, line('ERR_MODBUS_CLOSED', 'the connection is closed')],
];

const UNKNOWN = line('ERR_MODBUS_FRAME', 'an answer that cannot be read');

/** The fault behind an error of modbus-serial. */
export function faultOf(error: unknown): Fault {
  const { modbusCode, message } = (error ?? {}) as { modbusCode?: unknown; message?: unknown };
  if (typeof modbusCode === 'number')
    return EXCEPTIONS[modbusCode] ?? said('ERR_MODBUS_DEVICE', 'the meter reports an unknown exception');
  const text = typeof message === 'string' ? message : '';
  return TEXTS.find(([pattern]) => pattern.test(text))?.[1] ?? UNKNOWN;
}

export function modbusError(
  code: ModbusErrorCode,
  message: string,
  context: Readonly<Record<string, string | number>> = {},
  cause?: unknown,
): HesError<ModbusErrorCode> {
  return new HesError(code, message, { context, ...(cause === undefined ? {} : { cause }) });
}
