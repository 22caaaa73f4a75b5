import { P256_POINT_BYTES } from '../x509/certificate.ts';
import { equalBytes } from '../x509/der.ts';
import { type Attribute, WORD_BYTES } from './arena.ts';
import { hsmError } from './errors.ts';
import { type TokenSession, wiped } from './session.ts';

/** What is asked of a token's keys: ECDH, ECDSA, and their beginning and end (PKCS#11 v2.40 §2.3, curves). */

/** How a key is called there; at least one of the two. */
export interface TokenKeyName {
  readonly label?: string | undefined;
  /** CKA_ID, hex. */
  readonly id?: string | undefined;
}

/** A key does one thing: what it may sign with never agrees on anything. */
export type TokenKeyUse = 'sign' | 'agree';

export type TokenRequest =
  | { readonly op: 'agree'; readonly key: TokenKeyName; readonly point: Uint8Array }
  | { readonly op: 'sign'; readonly key: TokenKeyName; readonly digest: Uint8Array }
  | { readonly op: 'make'; readonly key: TokenKeyName; readonly use: TokenKeyUse }
  | { readonly op: 'destroy'; readonly key: TokenKeyName };

const CKA = {
  class: 0x0,
  token: 0x1,
  private: 0x2,
  label: 0x3,
  value: 0x11,
  keyType: 0x100,
  id: 0x102,
  sensitive: 0x103,
  sign: 0x108,
  verify: 0x10a,
  derive: 0x10c,
  valueLength: 0x161,
  extractable: 0x162,
  ecParams: 0x180,
  ecPoint: 0x181,
} as const;
export const CKA_VALUE = CKA.value;
const CKO = { publicKey: 2n, privateKey: 3n, secretKey: 4n } as const;
const CKK_GENERIC_SECRET = 0x10n;
const CKM = { ecKeyPair: 0x1040, ecdsa: 0x1041, ecdh1: 0x1050 } as const;
const CKD_NULL = 1n;
const NONE = 0n;

/** DER of the object identifier 1.2.840.10045.3.1.7. */
const P256 = Buffer.from('06082a8648ce3d030107', 'hex');
const EC_PARAMS_BYTES_MAX = 64;
/** The point is a DER OCTET STRING; some modules leave its header away. */
const OCTET_STRING_HEADER = Buffer.from([0x04, P256_POINT_BYTES]);
const SECRET_BYTES = 32;
const DIGEST_BYTES = 32;
const SIGNATURE_BYTES = 64;
const LABEL_BYTES_MAX = 128;

/** Answers by operation: the secret, r and s, the new key's point, nothing. */
type Perform<Op extends TokenRequest['op']> = (
  session: TokenSession,
  request: Extract<TokenRequest, { readonly op: Op }>,
) => Uint8Array<ArrayBuffer>;

export const OPERATIONS: { readonly [Op in TokenRequest['op']]: Perform<Op> } = {
  /** The point must be known to be on the curve: a token that does not look would give its key away bit by bit. */
  agree(session, { key, point }) {
    const { module, handle } = session;
    const privateKey = findPrivate(session, key);
    const secret = wiped(module, () => {
      const { arena, call } = module;
      const parameters = arena.words(CKD_NULL, NONE, NONE, BigInt(point.length), arena.put(point));
      const mechanism = arena.mechanism(CKM.ecdh1, { pointer: parameters, length: 5 * WORD_BYTES });
      // The secret of one message is to be read; the key that it came from never is.
      const { pointer, count } = arena.template([
        [CKA.class, CKO.secretKey],
        [CKA.keyType, CKK_GENERIC_SECRET],
        [CKA.token, false],
        [CKA.sensitive, false],
        [CKA.extractable, true],
        [CKA.valueLength, BigInt(SECRET_BYTES)],
      ]);
      const derived = arena.words(NONE);
      call('C_DeriveKey', [handle, mechanism, privateKey, pointer, count, derived]);
      return arena.word(derived);
    });
    try {
      return exactly(session.attribute(secret, CKA.value, SECRET_BYTES), SECRET_BYTES);
    } finally {
      session.destroy(secret);
    }
  },

  sign(session, { key, digest }) {
    const { module, handle } = session;
    const privateKey = findPrivate(session, key);
    return wiped(module, () => {
      const { arena, call } = module;
      call('C_SignInit', [handle, arena.mechanism(CKM.ecdsa), privateKey]);
      const signature = arena.room(SIGNATURE_BYTES);
      const length = arena.words(BigInt(SIGNATURE_BYTES));
      call('C_Sign', [
        handle,
        arena.put(exactly(digest, DIGEST_BYTES)),
        BigInt(DIGEST_BYTES),
        signature,
        length,
      ]);
      return exactly(arena.read(signature, Number(arena.word(length))), SIGNATURE_BYTES);
    });
  },

  make(session, { key, use }) {
    const { module, handle } = session;
    const names: Attribute[] = namesOf(key);
    const [publicKey, privateKey] = wiped(module, () => {
      const { arena, call } = module;
      const open = arena.template([
        [CKA.token, true],
        [CKA.private, false],
        ...names,
        [CKA.ecParams, P256],
        [CKA.verify, use === 'sign'],
        [CKA.derive, use === 'agree'],
      ]);
      const closed = arena.template([
        [CKA.token, true],
        [CKA.private, true],
        ...names,
        [CKA.sensitive, true],
        [CKA.extractable, false],
        [CKA.sign, use === 'sign'],
        [CKA.derive, use === 'agree'],
      ]);
      const pair = arena.words(NONE, NONE);
      const made = [pair, pair + BigInt(WORD_BYTES)] as const;
      const templates = [open.pointer, open.count, closed.pointer, closed.count];
      call('C_GenerateKeyPair', [handle, arena.mechanism(CKM.ecKeyPair), ...templates, ...made]);
      return [arena.word(made[0]), arena.word(made[1])] as const;
    });
    try {
      checkKept(session, privateKey);
      return pointOf(session, publicKey);
    } catch (error) {
      for (const object of [privateKey, publicKey]) session.destroy(object);
      throw error;
    }
  },

  destroy(session, { key }) {
    session.destroy(findPrivate(session, key));
    try {
      session.destroy(
        session.find([[CKA.class, CKO.publicKey], ...namesOf(key)], `public key ${nameOf(key)}`),
      );
    } catch {
      // Not every token keeps one, and nobody needs it.
    }
    return new Uint8Array();
  },
};

/** Handles that a session found: looked up once. */
const HANDLES = new WeakMap<TokenSession, Map<string, bigint>>();
/** A tenant has a few keys; a CA has one. */
const HANDLES_MAX = 64;

/** @throws ERR_HSM_KEY where there is none, several, or one of another kind */
export function findPrivate(session: TokenSession, key: TokenKeyName): bigint {
  const name = nameOf(key);
  const known = HANDLES.get(session) ?? new Map<string, bigint>();
  HANDLES.set(session, known);
  const handle = known.get(name);
  if (handle !== undefined) return handle;
  const found = session.find([[CKA.class, CKO.privateKey], ...namesOf(key)], `private key ${name}`);
  if (!equalBytes(session.attribute(found, CKA.ecParams, EC_PARAMS_BYTES_MAX), P256))
    throw hsmError('ERR_HSM_KEY', `${name} is no key on P-256`);
  if (known.size >= HANDLES_MAX) known.clear();
  known.set(name, found);
  return found;
}

/** That a key was made so that it stays: not every module does what its template says. */
function checkKept(session: TokenSession, privateKey: bigint): void {
  const flag = (type: number) => session.attribute(privateKey, type, 1)[0];
  if (flag(CKA.sensitive) !== 1 || flag(CKA.extractable) !== 0)
    throw hsmError('ERR_HSM_KEY', 'the token made a key that could be read out; it was destroyed');
}

function pointOf(session: TokenSession, publicKey: bigint): Uint8Array<ArrayBuffer> {
  const value = session.attribute(publicKey, CKA.ecPoint, P256_POINT_BYTES + OCTET_STRING_HEADER.length);
  const wrapped = equalBytes(value.subarray(0, 2), OCTET_STRING_HEADER) && value.length > P256_POINT_BYTES;
  return exactly(wrapped ? value.slice(OCTET_STRING_HEADER.length) : value, P256_POINT_BYTES);
}

function namesOf({ label, id }: TokenKeyName): Attribute[] {
  const names: Attribute[] = [];
  if (label !== undefined) names.push([CKA.label, Buffer.from(label, 'utf8').subarray(0, LABEL_BYTES_MAX)]);
  if (id !== undefined) names.push([CKA.id, Buffer.from(id, 'hex')]);
  return names;
}

const nameOf = ({ label, id }: TokenKeyName): string =>
  [label, id === undefined ? undefined : `(${id})`].filter((part) => part !== undefined).join(' ');

function exactly<Bytes extends Uint8Array>(bytes: Bytes, length: number): Bytes {
  if (bytes.length !== length)
    throw hsmError('ERR_HSM_FAILED', 'the token answered with another length than the operation has', {
      context: { length: bytes.length, expected: length },
    });
  return bytes;
}
