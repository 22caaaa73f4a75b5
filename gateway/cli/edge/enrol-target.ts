import { resolve } from 'node:path';
import type { TenantId } from '../../../protocol/identity.ts';
import { usage } from '../errors.ts';

/** Which device is enrolled, and in which mode. */
export interface EnrolTarget {
  readonly identity: string;
  /** Whether certificates of a development PKI are taken. */
  readonly development: boolean;
  /** Whose meters are behind it, as edge.yaml says. */
  readonly owners: readonly TenantId[];
  /** The flags that say the same again. */
  readonly words: string;
}

/** @throws ERR_USAGE, ERR_CONFIG */
export async function enrolTarget(flags: {
  readonly config?: string;
  readonly identity?: string;
  readonly development?: boolean;
}): Promise<EnrolTarget> {
  const { config: file, identity } = flags;
  if (file === undefined) {
    if (identity === undefined) throw usage('name the device: --config edge.yaml or --identity FILE');
    const development = flags.development === true;
    const words = `--identity ${identity}${development ? ' --development' : ''}`;
    return { identity: resolve(identity), development, owners: [], words };
  }
  if (flags.development !== undefined)
    throw usage('with --config the file says whether this is development: leave --development out');
  const { loadEdgeConfig } = await import('../../edge/service/config.ts');
  const { devices, development } = await loadEdgeConfig({ file });
  const device =
    identity === undefined
      ? devices[0]!
      : devices.find((candidate) => candidate.identity === resolve(identity));
  if (device === undefined) throw usage(`${identity} is the identity of no device of ${file}`);
  if (identity === undefined && devices.length > 1)
    throw usage(
      `${file} has ${devices.length} devices: name one of them by its file, --identity ${devices.map((one) => one.identity).join(' or ')}`,
    );
  return {
    identity: device.identity,
    development,
    owners: device.owners.map(({ tenant }) => tenant),
    words: `--config ${file}${identity === undefined ? '' : ` --identity ${identity}`}`,
  };
}
