import { readPassphrase } from '../keys/encrypted-key.ts';
import { type Attribute, WORD_BYTES } from './arena.ts';
import { CKR_CRYPTOKI_ALREADY_INITIALIZED, CKR_USER_ALREADY_LOGGED_IN } from './codes.ts';
import { hsmError } from './errors.ts';
import type { Pkcs11Module } from './module.ts';

/** Where keys are: which token, by which module. */
export interface TokenPlace {
  /** Path of the vendor's module. */
  readonly module: string;
  /** Its label. */
  readonly token: string;
  /** Its first line logs in. */
  readonly pinFile: string;
}

const NONE = 0n;
const CKF_OS_LOCKING_OK = 2n;
/** A machine with more tokens than this has another problem. */
const SLOTS_MAX = 64;
const LABEL_BYTES = 32;
const TOKEN_INFO_BYTES = 208;
const TOKEN_INFO_FLAGS_AT = 96n;
const CKF_USER_PIN_FINAL_TRY = 0x20000n;
const CKF_USER_PIN_LOCKED = 0x40000n;
const CKF_RW_SESSION = 2n;
const CKF_SERIAL_SESSION = 4n;
const CKU_USER = 1n;

/** A session with a token, logged in. For one thread. */
export class TokenSession {
  readonly module: Pkcs11Module;
  readonly handle: bigint;

  private constructor(module: Pkcs11Module, handle: bigint) {
    this.module = module;
    this.handle = handle;
  }

  /**
   * @param tried the PIN that the token refused before: it is not tried again, or the token locks itself
   * @throws ERR_HSM_TOKEN, ERR_HSM_PIN, ERR_HSM_LOST, ERR_HSM_FAILED; ERR_PKI_* for the file of the PIN
   */
  static open(module: Pkcs11Module, place: TokenPlace, tried?: { pin?: string }): TokenSession {
    const pin = readPassphrase(place.pinFile);
    if (tried?.pin === pin) throw pinError(place, 'is the one that it refused before');
    return wiped(module, () => {
      const { arena, call } = module;
      // CK_C_INITIALIZE_ARGS: several threads call, and the module takes the system's own locks.
      const initialize = arena.words(NONE, NONE, NONE, NONE, CKF_OS_LOCKING_OK, NONE);
      call('C_Initialize', [initialize], [CKR_CRYPTOKI_ALREADY_INITIALIZED]);
      const slot = slotOf(module, place);
      const handle = arena.words(NONE);
      call('C_OpenSession', [slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NONE, NONE, handle]);
      const session = new TokenSession(module, arena.word(handle));
      const octets = Buffer.from(pin, 'utf8');
      try {
        // Logged in is the process, not the session: another thread may have been first.
        const args = [session.handle, CKU_USER, arena.put(octets), BigInt(octets.length)];
        call('C_Login', args, [CKR_USER_ALREADY_LOGGED_IN]);
      } catch (error) {
        if (tried !== undefined && isPinError(error)) tried.pin = pin;
        session.close();
        throw error;
      } finally {
        octets.fill(0);
      }
      return session;
    });
  }

  /** The one object of these attributes. @throws ERR_HSM_KEY where there is none, or several */
  find(attributes: readonly Attribute[], what: string): bigint {
    const { arena, call } = this.module;
    return wiped(this.module, () => {
      const { pointer, count } = arena.template(attributes);
      call('C_FindObjectsInit', [this.handle, pointer, count]);
      const found = arena.room(2 * WORD_BYTES);
      const foundCount = arena.words(NONE);
      try {
        call('C_FindObjects', [this.handle, found, 2n, foundCount]);
      } finally {
        call('C_FindObjectsFinal', [this.handle]);
      }
      const number = arena.word(foundCount);
      if (number !== 1n)
        throw hsmError('ERR_HSM_KEY', `the token has ${number === 0n ? 'no' : 'more than one'} ${what}`);
      return arena.word(found);
    });
  }

  /** One attribute, of at most so many octets. @throws ERR_HSM_KEY where it is not shown, or longer */
  attribute(object: bigint, type: number, bytesMax: number): Uint8Array<ArrayBuffer> {
    const { arena, call } = this.module;
    return wiped(this.module, () => {
      const value = arena.room(bytesMax);
      const row = arena.words(BigInt(type), value, BigInt(bytesMax));
      call('C_GetAttributeValue', [this.handle, object, row, 1n]);
      // A length that is not one (CK_UNAVAILABLE_INFORMATION) is 2^64 - 1.
      const length = arena.word(row + BigInt(2 * WORD_BYTES));
      if (length > BigInt(bytesMax))
        throw hsmError('ERR_HSM_KEY', 'the token does not show an attribute of its key');
      return arena.read(value, Number(length));
    });
  }

  destroy(object: bigint): void {
    this.module.call('C_DestroyObject', [this.handle, object]);
  }

  /** Never throws: what is closed here may be gone. */
  close(): void {
    try {
      this.module.call('C_CloseSession', [this.handle]);
    } catch {
      // The token has forgotten it already.
    }
  }
}

/** What is in the arena is forgotten when the operation is over, whichever way. */
export function wiped<Result>({ arena }: Pkcs11Module, run: () => Result): Result {
  try {
    return run();
  } finally {
    arena.wipe();
  }
}

const isPinError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_HSM_PIN';

const pinError = ({ token, pinFile }: TokenPlace, why: string) =>
  hsmError('ERR_HSM_PIN', `the PIN of the token ${token} ${why}`, { context: { token, file: pinFile } });

/** @throws ERR_HSM_TOKEN, ERR_HSM_PIN where it is locked or about to be */
function slotOf({ arena, call }: Pkcs11Module, place: TokenPlace): bigint {
  const { token } = place;
  const count = arena.words(BigInt(SLOTS_MAX));
  const present = 1;
  // Asked without room first: some modules look for new tokens then alone.
  call('C_GetSlotList', [present, NONE, count]);
  const number = arena.word(count);
  if (number > BigInt(SLOTS_MAX))
    throw hsmError('ERR_HSM_TOKEN', `the module shows ${number} tokens, more than ${SLOTS_MAX}`);
  const slots = arena.room(SLOTS_MAX * WORD_BYTES);
  const filled = arena.words(BigInt(SLOTS_MAX));
  call('C_GetSlotList', [present, slots, filled]);
  const shown = Math.min(Number(arena.word(filled)), SLOTS_MAX);
  const info = arena.room(TOKEN_INFO_BYTES);
  const found: { readonly slot: bigint; readonly flags: bigint }[] = [];
  for (let at = 0; at < shown; at += 1) {
    const slot = arena.word(slots + BigInt(at * WORD_BYTES));
    call('C_GetTokenInfo', [slot, info]);
    const label = Buffer.from(arena.read(info, LABEL_BYTES))
      .toString('utf8')
      .replace(/[ \0]+$/, '');
    if (label === token) found.push({ slot, flags: arena.word(info + TOKEN_INFO_FLAGS_AT) });
  }
  const [one, other] = found;
  if (one === undefined || other !== undefined)
    throw hsmError(
      'ERR_HSM_TOKEN',
      `${one === undefined ? 'no' : 'more than one'} token is called ${token}`,
      {
        context: { token, module: place.module },
      },
    );
  if ((one.flags & CKF_USER_PIN_LOCKED) !== 0n) throw pinError(place, 'is locked');
  if ((one.flags & CKF_USER_PIN_FINAL_TRY) !== 0n) throw pinError(place, 'has one try left');
  return one.slot;
}
