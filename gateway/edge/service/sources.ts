import { HesError, isHesError } from '../../../protocol/errors.ts';
import type { EdgeSourceConfig } from './config.ts';
import type { EdgeSource, SourceContext } from './edge-source.ts';
import type { EdgeServiceErrorCode } from './errors.ts';
import { openP1 } from './p1-source.ts';

/** @throws ERR_CONFIG_SOURCE naming the source by its place in the configuration */
export async function openSource(
  { p1, modbus }: EdgeSourceConfig,
  path: string,
  context: SourceContext,
): Promise<EdgeSource> {
  try {
    // Serial ports and Modbus are loaded where there are any: some 10 MiB that a small machine keeps.
    if (p1 !== undefined) return await openP1(p1, context);
    const { openModbus } = await import('./modbus-source.ts');
    return await openModbus(modbus!, context);
  } catch (cause) {
    if (!isHesError(cause)) throw cause;
    throw failure(`${path}: ${cause.message}`, cause);
  }
}

function failure(message: string, cause: unknown): HesError {
  return new HesError('ERR_CONFIG_SOURCE' satisfies EdgeServiceErrorCode, message, { cause });
}
