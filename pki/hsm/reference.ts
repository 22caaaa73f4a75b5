import { isAbsolute } from 'node:path';
import { hsmError } from './errors.ts';
import type { TokenKeyName } from './operations.ts';
import type { TokenPlace } from './session.ts';

/**
 * A key file that holds no key but says where it is: a `pkcs11:` URI (RFC 7512), as OpenSSL's provider, p11-kit and
 * `ssh` take it. Everything that loads a key by its file thus takes one of a token.
 */
export interface TokenKey {
  readonly place: TokenPlace;
  readonly key: TokenKeyName;
}

const SCHEME = 'pkcs11:';
const REFERENCE_CHARACTERS_MAX = 4_096;
const ID_BYTES_MAX = 64;

export const isTokenReference = (text: string): boolean => text.startsWith(SCHEME);

type Part = 'token' | 'object' | 'id' | 'type' | 'module-path' | 'pin-source';
const PATH_PARTS: readonly Part[] = ['token', 'object', 'id', 'type'];
const QUERY_PARTS: readonly Part[] = ['module-path', 'pin-source'];
const FILE = 'file:';

/** @throws ERR_HSM_REFERENCE */
export function parseTokenReference(text: string, file: string): TokenKey {
  const refused = (why: string) => hsmError('ERR_HSM_REFERENCE', `${file} ${why}`, { context: { file } });
  const uri = text.trim();
  if (!isTokenReference(uri) || uri.length > REFERENCE_CHARACTERS_MAX || /\s/.test(uri))
    throw refused('holds no pkcs11: URI on one line');
  const [path = '', query = '', ...rest] = uri.slice(SCHEME.length).split('?');
  if (rest.length > 0) throw refused('has more than one ? in its URI');
  const parts = new Map<Part, string>();
  const take = (list: string, separator: string, known: readonly Part[]): void => {
    for (const pair of list.split(separator).filter((entry) => entry !== '')) {
      const [name, value, ...more] = pair.split('=');
      const part = known.find((candidate) => candidate === name);
      if (part === undefined) throw refused(`has a part that is not known here: ${name}`);
      if (value === undefined || value === '' || more.length > 0 || parts.has(part))
        throw refused(`must have ${part} once, with a value`);
      parts.set(part, value);
    }
  };
  take(path, ';', PATH_PARTS);
  take(query, '&', QUERY_PARTS);
  const decoded = (part: Part): string | undefined => {
    const value = parts.get(part);
    try {
      return value === undefined ? undefined : decodeURIComponent(value);
    } catch {
      throw refused(`has a wrong ${part}`);
    }
  };
  const needed = (part: Part): string => {
    const value = decoded(part);
    if (value === undefined) throw refused(`lacks ${part}=`);
    return value;
  };
  const absolute = (part: Part): string => {
    const value = needed(part);
    const where = value.startsWith(FILE) ? value.slice(FILE.length) : value;
    if (!isAbsolute(where)) throw refused(`needs an absolute path in ${part}`);
    return where;
  };
  if ((decoded('type') ?? 'private') !== 'private')
    throw refused('refers to something else than a private key');
  const id = idOf(parts.get('id'));
  if (id === null) throw refused('has a wrong id: it is octets, as %0a%ff');
  const label = decoded('object');
  if (id === undefined && label === undefined) throw refused('names no key: it lacks object= and id=');
  return {
    place: { module: absolute('module-path'), token: needed('token'), pinFile: absolute('pin-source') },
    key: { ...(label === undefined ? {} : { label }), ...(id === undefined ? {} : { id }) },
  };
}

/** The URI as it is written into a key file. */
export function tokenReference({ place, key }: TokenKey): string {
  const { label, id } = key;
  const path = [
    `token=${encodeURIComponent(place.token)}`,
    ...(label === undefined ? [] : [`object=${encodeURIComponent(label)}`]),
    ...(id === undefined ? [] : [`id=${id.replaceAll(/../g, '%$&')}`]),
    'type=private',
  ];
  const slashes = (text: string) => encodeURIComponent(text).replaceAll('%2F', '/');
  const query = `module-path=${slashes(place.module)}&pin-source=file:${slashes(place.pinFile)}`;
  return `${SCHEME}${path.join(';')}?${query}\n`;
}

/** Octets, each as %XX or as an unreserved character. Undefined where there is none, null where it is wrong. */
function idOf(text: string | undefined): string | undefined | null {
  if (text === undefined) return undefined;
  if (!/^(%[0-9a-fA-F]{2}|[A-Za-z0-9._~-])+$/.test(text)) return null;
  const octets = [...text.matchAll(/%([0-9a-fA-F]{2})|(.)/g)].map(([, hex, plain]) =>
    hex === undefined ? plain!.charCodeAt(0) : Number.parseInt(hex, 16),
  );
  return octets.length > ID_BYTES_MAX ? null : Buffer.from(octets).toString('hex');
}
