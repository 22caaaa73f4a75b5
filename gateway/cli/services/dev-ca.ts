import { statSync } from 'node:fs';
import { adoptDevice } from '../../../pki/ca/adopt.ts';
import {
  type OpenedPki,
  openPki,
  readManifest,
  type TenantAuthorities,
  tenantAuthorities,
} from '../../../pki/ca/open.ts';
import { pkiError } from '../../../pki/errors.ts';
import { type EstServer, startEst } from '../../../pki/est/server.ts';
import { pkiLayout } from '../../../pki/files/layout.ts';
import { loadServerKey } from '../../../pki/keys/keys.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { loadConfig } from '../../runtime/config.ts';
import type { RunningService, ServiceContext } from '../../runtime/service.ts';
import { devCaProcessConfig } from './dev-ca-config.ts';

/** An emulated fleet is one address, and ten thousand devices of it may be told to renew in one campaign. */
const PER_ADDRESS_PER_MINUTE = 100_000;
/** How soon a roll-over of an issuing CA is noticed. */
const LOOK_MS = 2_000;

/**
 * The issuing CAs beside an emulated head-end. Production has a process for each operator (`ca.ts`); here nobody gains
 * by that, and a newcomer's machine has one more process instead of seven. It publishes no lists: those of development
 * do not end.
 */
export async function start(context: ServiceContext, file: string): Promise<RunningService> {
  const { log } = context;
  const config = await loadConfig(devCaProcessConfig, { file });
  let seen = stampOf(config);
  const isPresent = (): boolean => stampOf(config) === seen;
  let running = await startAll(context, config, open(config), isPresent);
  let changing: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    const stamp = stampOf(config);
    if (stamp === seen) return;
    // First opened: what cannot be opened takes nothing from the one that serves.
    const pki = open(config);
    const { ports } = running;
    await running.stop();
    running = await startAll(context, { ...config, listen: { ...config.listen, ports } }, pki, isPresent);
    seen = stamp;
  };
  const timer = setInterval(() => {
    changing = changing.then(look).catch((error: unknown) => {
      log.error({ err: error }, 'the CAs cannot be opened again after a roll-over; it is tried again');
    });
  }, LOOK_MS);
  return {
    details: { operators: Object.keys(running.ports).length },
    async stop() {
      clearInterval(timer);
      await changing;
      await running.stop();
    },
  };
}

interface Running {
  readonly ports: Readonly<Record<TenantId, number>>;
  stop(): Promise<void>;
}

type Config = Awaited<ReturnType<typeof loadConfig<typeof devCaProcessConfig>>>;

const tenantsOf = ({ listen }: Config): readonly TenantId[] => Object.keys(listen.ports) as TenantId[];

/** @throws ERR_PKI_DEVELOPMENT for a production PKI, and as `openPki` */
function open(config: Config): OpenedPki {
  // Before any key of it is opened, which would ask for a passphrase.
  if (!readManifest(config.pki).development)
    throw pkiError('ERR_PKI_DEVELOPMENT', 'this is no development PKI: run `hes ca` for each operator');
  return openPki({ directory: config.pki, nowMs: Date.now(), tenants: tenantsOf(config) });
}

async function startAll(
  { log, counters }: ServiceContext,
  config: Config,
  pki: OpenedPki,
  isPresent: () => boolean,
): Promise<Running> {
  const clock = { nowMs: () => Date.now() };
  const tenants = tenantsOf(config);
  const tls = loadServerKey(config.tls, { development: true });
  const opened: { readonly authorities: TenantAuthorities; readonly est: EstServer }[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(opened.map(({ est }) => est.stop()));
    for (const { authorities } of opened.splice(0)) authorities.register.close();
  };
  try {
    const ports: Record<TenantId, number> = {};
    for (const tenant of tenants) {
      const authorities = tenantAuthorities(pki, tenant, clock);
      const { field } = authorities;
      const crlFile = pki.layout.crl(tenant);
      const est = await startEst({
        authority: field,
        cacerts: [pki.root.certificate.der, field.issuer.certificate.der],
        manufacturers: [],
        clock,
        isPresent,
        listen: { host: config.listen.host, port: config.listen.ports[tenant]! },
        tls,
        perMinute: PER_ADDRESS_PER_MINUTE,
        count: (name) => counters.count(name),
        onFault: (error) => log.error({ err: error }, 'a request failed here'),
        adopt: (der) => adoptDevice(field, der, { crlFile, nowMs: clock.nowMs(), by: 'est' }),
      });
      opened.push({ authorities, est });
      ports[tenant] = est.port;
    }
    return { ports, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Says another thing once an issuing CA is another. */
function stampOf(config: Config): string {
  const layout = pkiLayout(config.pki);
  const files = tenantsOf(config).map((tenant) => layout.issuing(tenant).certificate);
  return files.map((name) => statSync(name, { throwIfNoEntry: false })?.mtimeMs ?? 0).join();
}
