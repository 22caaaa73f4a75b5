import { readFile } from 'node:fs/promises';
import { type DeviceTrust, type Ending, endOfCertificate } from '../../pki/trust.ts';
import type { Log } from '../runtime/log.ts';
import type { RouterConfig } from './config.ts';
import { sealingFiles } from './keyring.ts';

const ends = async (file: string): Promise<number> => endOfCertificate(await readFile(file));

/** What a router relies on and what ends: its sealing key, its certificate at the MDM, and whom it trusts. */
export class RouterEndings {
  readonly #config: RouterConfig;
  readonly #trust: DeviceTrust;
  readonly #log: Log;
  #own: readonly Ending[] = [];

  private constructor(config: RouterConfig, trust: DeviceTrust, log: Log) {
    this.#config = config;
    this.#trust = trust;
    this.#log = log;
  }

  /** @throws what reading the files throws */
  static async open(config: RouterConfig, trust: DeviceTrust, log: Log): Promise<RouterEndings> {
    const endings = new RouterEndings(config, trust, log);
    endings.#own = await readOwn(config);
    return endings;
  }

  /** Files are exchanged while it runs: what they say by now is told at the next look. */
  read(): readonly Ending[] {
    void this.refresh();
    return [...this.#own, ...this.#trust.endings];
  }

  async refresh(): Promise<void> {
    try {
      this.#own = await readOwn(this.#config);
    } catch (error) {
      this.#log.error({ err: error }, 'the certificates of this router cannot be read to see when they end');
    }
  }
}

/** Of several sealing keys the last to end counts: while one is rolled over, the other is meant to. */
async function readOwn(config: RouterConfig): Promise<readonly Ending[]> {
  const client = config.mdm.tls?.certificate;
  const sealing = await Promise.all((await sealingFiles(config)).map(({ certificate }) => ends(certificate)));
  return [
    { kind: 'certificate', what: 'sealing', notAfterMs: Math.max(...sealing) },
    ...(client === undefined
      ? []
      : [{ kind: 'certificate', what: 'mdm.client', notAfterMs: await ends(client) } as const]),
  ];
}
