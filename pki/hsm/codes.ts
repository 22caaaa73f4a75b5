import type { HesError } from '../../protocol/errors.ts';
import { type HsmErrorCode, hsmError } from './errors.ts';

/** Return values of a module (PKCS#11 v2.40 §5.1, pkcs11t.h) that mean something of their own here. */
export const CKR_OK = 0n;
export const CKR_USER_ALREADY_LOGGED_IN = 0x100n;
export const CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191n;

type Row = readonly [name: string, code: HsmErrorCode];

const LOST = 'ERR_HSM_LOST';
const KEY = 'ERR_HSM_KEY';
const PIN = 'ERR_HSM_PIN';

const ROWS: Readonly<Record<number, Row>> = {
  3: ['CKR_SLOT_ID_INVALID', LOST],
  5: ['CKR_GENERAL_ERROR', LOST],
  6: ['CKR_FUNCTION_FAILED', 'ERR_HSM_FAILED'],
  17: ['CKR_ATTRIBUTE_SENSITIVE', KEY],
  18: ['CKR_ATTRIBUTE_TYPE_INVALID', KEY],
  48: ['CKR_DEVICE_ERROR', LOST],
  50: ['CKR_DEVICE_REMOVED', LOST],
  // Handles are of a session: one that is not valid any more is of a session that is not.
  96: ['CKR_KEY_HANDLE_INVALID', LOST],
  99: ['CKR_KEY_TYPE_INCONSISTENT', KEY],
  104: ['CKR_KEY_FUNCTION_NOT_PERMITTED', KEY],
  112: ['CKR_MECHANISM_INVALID', 'ERR_HSM_FAILED'],
  113: ['CKR_MECHANISM_PARAM_INVALID', 'ERR_HSM_FAILED'],
  130: ['CKR_OBJECT_HANDLE_INVALID', LOST],
  160: ['CKR_PIN_INCORRECT', PIN],
  161: ['CKR_PIN_INVALID', PIN],
  162: ['CKR_PIN_LEN_RANGE', PIN],
  163: ['CKR_PIN_EXPIRED', PIN],
  164: ['CKR_PIN_LOCKED', PIN],
  176: ['CKR_SESSION_CLOSED', LOST],
  179: ['CKR_SESSION_HANDLE_INVALID', LOST],
  224: ['CKR_TOKEN_NOT_PRESENT', LOST],
  225: ['CKR_TOKEN_NOT_RECOGNIZED', 'ERR_HSM_TOKEN'],
  226: ['CKR_TOKEN_WRITE_PROTECTED', 'ERR_HSM_FAILED'],
  257: ['CKR_USER_NOT_LOGGED_IN', LOST],
  258: ['CKR_USER_PIN_NOT_INITIALIZED', PIN],
  400: ['CKR_CRYPTOKI_NOT_INITIALIZED', LOST],
};

/** What a module returned, as an error of ours. Codes that are nobody's row are failures, by their number. */
export function errorOfReturn(call: string, value: bigint): HesError<HsmErrorCode> {
  const [name, code] = ROWS[Number(value)] ?? [`0x${value.toString(16)}`, 'ERR_HSM_FAILED'];
  return hsmError(code, `${call}: ${name}`, { context: { call, returned: name } });
}
