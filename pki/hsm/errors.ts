import { type ErrorContext, HesError } from '../../protocol/errors.ts';

/** What goes wrong with a token (PKCS#11), and what to do about it. */
export const HSM_ERRORS = {
  ERR_HSM_REFERENCE:
    'A key file that refers to a token is no `pkcs11:` URI of the parts that are known here (RFC 7512: token, object, id, type=private, module-path, pin-source). The message names the part.',
  ERR_HSM_MODULE:
    'The PKCS#11 module cannot be loaded: the path is wrong, it is for another machine, it lacks a function, or this process may not load it (under --permission it takes --allow-ffi and --allow-worker). The cause says which.',
  ERR_HSM_TOKEN:
    'No token with that label is present, or more than one is. Check the label, and that the module’s own configuration names the device.',
  ERR_HSM_PIN:
    'The token does not take the PIN of the file, has locked it, or has one try left, which is not spent here. Have the PIN reset by the security officer, mend the file, and start again; the same PIN is not tried twice.',
  ERR_HSM_KEY:
    'The token holds no such private key or several, or it is no P-256 key, may not be used for this, or could be read out. Check label and id of the reference.',
  ERR_HSM_LOST:
    'The token is away: pulled, reset, initialized anew, or its session is over. It is tried again with growing pauses; devices keep what they have until then.',
  ERR_HSM_FAILED:
    'The token refused an operation, or its module answered what it should not. The message names the code.',
  ERR_HSM_TIMEOUT:
    'The token did not answer in time. If it happens often, it is too slow for what is asked of it.',
  ERR_HSM_BUSY: 'More operations wait for the token than may wait. Devices try again.',
} as const;

export type HsmErrorCode = keyof typeof HSM_ERRORS;

/** `context` carries labels, paths and codes of the module; never a PIN, and nothing that a key gave. */
export function hsmError(
  code: HsmErrorCode,
  message: string,
  options: { readonly cause?: unknown; readonly context?: ErrorContext } = {},
): HesError<HsmErrorCode> {
  return new HesError(code, message, options);
}
