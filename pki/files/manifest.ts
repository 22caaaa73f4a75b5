import { isTenantId, type TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';

/** What a PKI holds. It says aloud whether its keys are for development. */
export interface Manifest {
  readonly version: 1;
  readonly development: boolean;
  readonly createdAtMs: number;
  /** `kid`: hex, the sealing key that new devices are given. */
  readonly tenants: readonly { readonly tenant: TenantId; readonly kid: string }[];
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws ERR_PKI_DEVELOPMENT where it does not say that it is for development; a plain Error where it is damaged */
export function parseManifest(text: string): Manifest {
  const value: unknown = JSON.parse(text);
  if (!isRecord(value)) throw new Error('no object');
  if (value['development'] !== true)
    throw pkiError('ERR_PKI_DEVELOPMENT', 'the manifest does not say that this is a development PKI');
  return parseAnyManifest(value);
}

/** Of a PKI of either kind. @throws a plain Error where it is damaged */
export function parseAnyManifest(value: unknown): Manifest {
  if (!isRecord(value)) throw new Error('no object');
  const { version, createdAtMs, tenants, development } = value;
  if (typeof development !== 'boolean') throw new Error('development or not');
  if (version !== 1) throw new Error('another version');
  if (typeof createdAtMs !== 'number' || !Array.isArray(tenants)) throw new Error('no manifest');
  return {
    version,
    development,
    createdAtMs,
    tenants: tenants.map((row: unknown) => {
      if (!isRecord(row)) throw new Error('tenants');
      const { tenant, kid } = row;
      if (!isTenantId(tenant) || typeof kid !== 'string' || !/^[0-9a-f]{16}$/.test(kid))
        throw new Error('tenants');
      return { tenant, kid };
    }),
  };
}
