import { readFile } from 'node:fs/promises';
import { type DeviceTrust, type Ending, endOfCertificate } from '../../pki/trust.ts';
import type { RouterConfig } from './config.ts';
import { sealingFiles } from './keyring.ts';

const ends = async (file: string): Promise<number> => endOfCertificate(await readFile(file));

/**
 * What a router relies on and what ends. Of several sealing keys the last counts: while one is rolled over, the other is
 * meant to end.
 * @throws what reading the files throws
 */
export async function readEndings(
  config: RouterConfig,
  trust: DeviceTrust,
): Promise<() => readonly Ending[]> {
  const { mdm } = config;
  const sealing = await Promise.all((await sealingFiles(config)).map(({ certificate }) => ends(certificate)));
  const client = mdm.tls?.certificate;
  const own: Ending[] = [{ kind: 'certificate', what: 'sealing', notAfterMs: Math.max(...sealing) }];
  if (client !== undefined)
    own.push({ kind: 'certificate', what: 'mdm.client', notAfterMs: await ends(client) });
  return () => [...own, ...trust.endings];
}
