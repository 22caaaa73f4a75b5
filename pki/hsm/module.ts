import type { FunctionDefinitions } from 'node:ffi';
import { createRequire } from 'node:module';
import { isAbsolute } from 'node:path';
import { Arena } from './arena.ts';
import { CKR_OK, errorOfReturn } from './codes.ts';
import { hsmError } from './errors.ts';

/**
 * A PKCS#11 module, called through Node's own `node:ffi` (docs/adr/0185): no compiler, no dependency. This is the one
 * file that knows of it. Whoever replaces it needs these functions and an address for the arena.
 */
const WORD = 'u64';
const POINTER = 'pointer';

/** Arguments of each function, as pkcs11f.h has them; every one returns CK_RV. */
const FUNCTIONS = {
  C_Initialize: [POINTER],
  C_Finalize: [POINTER],
  C_GetSlotList: ['u8', POINTER, POINTER],
  C_GetTokenInfo: [WORD, POINTER],
  C_OpenSession: [WORD, WORD, POINTER, POINTER, POINTER],
  C_CloseSession: [WORD],
  C_Login: [WORD, WORD, POINTER, WORD],
  C_FindObjectsInit: [WORD, POINTER, WORD],
  C_FindObjects: [WORD, POINTER, WORD, POINTER],
  C_FindObjectsFinal: [WORD],
  C_GetAttributeValue: [WORD, WORD, POINTER, WORD],
  C_GenerateKeyPair: [WORD, POINTER, POINTER, WORD, POINTER, WORD, POINTER, POINTER],
  C_SignInit: [WORD, POINTER, WORD],
  C_Sign: [WORD, POINTER, WORD, POINTER, POINTER],
  C_DeriveKey: [WORD, POINTER, WORD, POINTER, WORD, POINTER],
  C_DestroyObject: [WORD, WORD],
} as const;

export type FunctionName = keyof typeof FUNCTIONS;
export type Argument = bigint | number;

export interface Pkcs11Module {
  readonly arena: Arena;
  /** @throws ERR_HSM_* for every return value that is not CKR_OK or among `accepted` */
  call(name: FunctionName, args: readonly Argument[], accepted?: readonly bigint[]): bigint;
}

type Wrapped = (...args: readonly Argument[]) => bigint;

/** @throws ERR_HSM_MODULE */
export function loadModule(path: string): Pkcs11Module {
  if (!isAbsolute(path)) throw refused(path, 'its path is not absolute');
  // CK_ULONG has 4 octets on Windows, and structures are packed there.
  if (!['linux', 'darwin'].includes(process.platform) || !['x64', 'arm64'].includes(process.arch))
    throw refused(path, 'tokens are used on 64-bit Linux and macOS');
  const functions: Partial<Record<FunctionName, Wrapped>> = {};
  let arena: Arena;
  try {
    const { DynamicLibrary, getRawPointer } = createRequire(import.meta.url)(
      'node:ffi',
    ) as typeof import('node:ffi');
    const library = new DynamicLibrary(path);
    const definitions = Object.fromEntries(
      Object.entries(FUNCTIONS).map(([name, args]) => [name, { arguments: args, return: WORD }]),
    ) satisfies FunctionDefinitions;
    Object.assign(functions, library.getFunctions(definitions));
    arena = new Arena(getRawPointer);
  } catch (cause) {
    throw refused(path, 'it cannot be loaded', cause);
  }
  return {
    arena,
    call(name, args, accepted = []) {
      const returned = functions[name]!(...args);
      if (returned !== CKR_OK && !accepted.includes(returned)) throw errorOfReturn(name, returned);
      return returned;
    },
  };
}

const refused = (path: string, why: string, cause?: unknown) =>
  hsmError('ERR_HSM_MODULE', `the PKCS#11 module ${path}: ${why}`, { cause, context: { module: path } });
