import { createHash } from 'node:crypto';
import { z } from 'zod';
import { HesError } from '../../protocol/errors.ts';
import { isTenantId, type TenantId } from '../../protocol/identity.ts';
import { type PkiErrorCode, pkiError } from '../errors.ts';
import { GUESTS_MAX } from '../verify/device-certificate.ts';
import { enrolmentUri } from '../x509/names.ts';
import { PROFILES } from '../x509/profiles.ts';

/**
 * What a device asks for when it is enrolled: one JSON document with a PKCS#10 certificate request (RFC 2986) for
 * each of its three keys, which were made on it and stay there. It holds no secret.
 */

/** The three keys of a device, and the row under which each is certified. */
export const CREDENTIALS = {
  tls: PROFILES.deviceTls,
  sign: PROFILES.deviceSign,
  agree: PROFILES.deviceAgree,
} as const;
export type CredentialName = keyof typeof CREDENTIALS;
export const CREDENTIAL_NAMES = Object.keys(CREDENTIALS) as CredentialName[];

/** 160 bits, as RFC 7093 cuts key identifiers: nobody finds a second set of keys for one. */
const REQUEST_ID_HEX = 40;
/** Three requests with all the tenants that may be, and room; read whole into memory, so bounded. */
export const REQUEST_BYTES_MAX = 32_768;
const PEM_CHARACTERS_MAX = 8_192;

const REQUEST_TYPE = 'hes-enrolment-request';

export interface EnrolmentRequest {
  readonly type: typeof REQUEST_TYPE;
  readonly version: 1;
  /** The name of this set of keys until the device has one (`requestIdOf`). */
  readonly request: string;
  readonly home: TenantId;
  readonly guests: readonly TenantId[];
  /** Hex SHA-256 of the field root (DER) that the device will take, where it was given one beforehand. */
  readonly root: string | null;
  /** PEM, each. */
  readonly tls: string;
  readonly sign: string;
  readonly agree: string;
}

/**
 * The keys' own name: each certificate request carries it as its subject, and is signed by its key. So each of the
 * three vouches for the other two, and requests of two devices cannot be mixed.
 */
export function requestIdOf(spkis: Readonly<Record<CredentialName, Uint8Array>>): string {
  const hash = createHash('sha256').update('hes enrolment 1');
  for (const name of CREDENTIAL_NAMES) hash.update(spkis[name]);
  return hash.digest('hex').slice(0, REQUEST_ID_HEX);
}

/** The names that each certificate request asks for: home first. */
export const requestedUris = (
  { home, guests }: Pick<EnrolmentRequest, 'home' | 'guests'>,
  request: string,
): string[] => [home, ...guests].map((tenant) => enrolmentUri(tenant, request));

export const tenantSchema = z.custom<TenantId>(isTenantId, 'no tenant');
export const requestIdSchema = z.string().regex(new RegExp(`^[0-9a-f]{${REQUEST_ID_HEX}}$`));
export const fingerprintSchema = z.string().regex(/^[0-9a-f]{64}$/);
export const pemSchema = z.string().max(PEM_CHARACTERS_MAX);
export const guestsSchema = z.array(tenantSchema).max(GUESTS_MAX).readonly();

export const requestSchema = z.strictObject({
  type: z.literal(REQUEST_TYPE),
  version: z.literal(1),
  request: requestIdSchema,
  home: tenantSchema,
  guests: guestsSchema,
  root: fingerprintSchema.nullable(),
  tls: pemSchema,
  sign: pemSchema,
  agree: pemSchema,
});

/** Read the document; its certificate requests have still to be checked (request-check.ts). @throws ERR_ENROL_REQUEST */
export function parseEnrolmentRequest(text: string): EnrolmentRequest {
  return parseDocument(text, {
    schema: requestSchema,
    bytesMax: REQUEST_BYTES_MAX,
    code: 'ERR_ENROL_REQUEST',
    what: 'enrolment request',
  });
}

export const documentText = (document: object): string => `${JSON.stringify(document, null, 2)}\n`;

/**
 * One JSON document of a bounded size and a strict shape. The error names where it is wrong and never quotes it:
 * a pending file taken for a request holds keys.
 */
export function parseDocument<Shape>(
  text: string,
  expected: {
    readonly schema: z.ZodType<Shape>;
    readonly bytesMax: number;
    readonly code: PkiErrorCode;
    readonly what: string;
  },
): Shape {
  const { schema, bytesMax, code, what } = expected;
  const refused = (why: string) => pkiError(code, `no ${what}: ${why}`, { context: { length: text.length } });
  if (text.length > bytesMax) throw refused(`longer than ${bytesMax} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refused('no JSON');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const places = parsed.error.issues.map(({ path, code: kind }) =>
    kind === 'unrecognized_keys' ? 'an unknown member' : path.length === 0 ? 'no object' : path.join('.'),
  );
  throw refused([...new Set(places)].slice(0, 5).join(', '));
}

/** Whatever a library throws about bytes from outside becomes one of our errors. */
export function asRefused<Result>(code: PkiErrorCode, message: string, run: () => Result): Result {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof HesError && !cause.code.startsWith('ERR_TRUST_MALFORMED')) throw cause;
    throw pkiError(code, message, { cause });
  }
}
