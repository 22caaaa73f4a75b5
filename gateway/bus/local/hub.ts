import { chmodSync, lstatSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { isMainThread } from 'node:worker_threads';
import type { TenantId } from '../../../protocol/identity.ts';
import { Counters } from '../../runtime/counters.ts';
import { type Log, silentLog } from '../../runtime/log.ts';
import { busError } from '../errors.ts';
import type { TenantBus } from '../port.ts';
import { LOCAL_BUS_LIMITS, type LocalBusLimits } from './limits.ts';
import { checkSocket, codeOf, makeDirectory, removeStaleSocket, SOCKET_UMASK, socketPath } from './paths.ts';
import { TenantHub } from './tenant.ts';

export interface LocalHubOptions {
  /** Where the sockets are: made if missing, refused if anyone but this user may enter. See `busDirectory`. */
  readonly directory: string;
  readonly tenants: readonly TenantId[];
  readonly limits?: Partial<LocalBusLimits>;
  readonly log?: Log;
  readonly counters?: Counters;
}

export interface LocalHub {
  /**
   * The bus of this process for one tenant, without a hop; always the same object for the same tenant.
   * @throws ERR_BUS_TENANT
   */
  bus(tenant: TenantId): TenantBus;
  /** Drain and close every tenant, and remove the sockets. */
  close(): Promise<void>;
}

/**
 * Be the hub of the local bus: one listening socket per tenant, at which that tenant's routers and desks connect.
 * A socket that a killed hub left is taken over; a live hub's is refused.
 * @throws ERR_BUS_DIRECTORY, ERR_BUS_PATH, ERR_BUS_TAKEN
 */
export async function startLocalHub({
  directory,
  tenants,
  limits: given,
  log = silentLog,
  counters = new Counters(),
}: LocalHubOptions): Promise<LocalHub> {
  const limits: LocalBusLimits = { ...LOCAL_BUS_LIMITS, ...given };
  makeDirectory(directory);
  const hubs = new Map<TenantId, TenantHub>();
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    // First no new peers (closing also removes the socket file), then an orderly end for those that are here.
    const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    await Promise.all([...hubs.values()].map((hub) => hub.close()));
    await Promise.all(closed);
  };
  try {
    for (const tenant of tenants) {
      const hub = new TenantHub(tenant, limits, log, counters);
      hubs.set(tenant, hub);
      servers.push(await listen(socketPath(directory, tenant), hub, limits));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const sum = (of: (hub: TenantHub) => number) => () =>
    hubs.values().reduce((total, hub) => total + of(hub), 0);
  counters.gauge(
    'bus.inFlight',
    sum((hub) => hub.inFlight),
  );
  counters.gauge(
    'bus.peers',
    sum((hub) => hub.peers),
  );
  log.info({ directory, tenants: tenants.length }, 'the bus is open');
  return {
    bus(tenant) {
      const hub = hubs.get(tenant);
      if (hub === undefined) throw busError('ERR_BUS_TENANT', undefined, { context: { tenant } });
      return hub;
    },
    close,
  };
}

async function listen(path: string, hub: TenantHub, limits: LocalBusLimits): Promise<Server> {
  await removeStaleSocket(path);
  const server = createServer((socket) => hub.accept(socket));
  // Sockets that have not yet said who they are count too; the hub itself gives a reason at its own, lower bound.
  server.maxConnections = limits.connectionsMax * 2;
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', (cause) =>
      reject(
        codeOf(cause) === 'EADDRINUSE'
          ? busError('ERR_BUS_TAKEN', `${path}: another process has just become the hub of this bus`)
          : busError('ERR_BUS_DIRECTORY', `${path}: cannot listen (${codeOf(cause)})`, { cause }),
      ),
    );
    listenPrivately(server, path);
  });
  if ((lstatSync(path).mode & 0o777) !== 0o600) chmodSync(path, 0o600);
  checkSocket(path);
  return server;
}

/** Node binds a Unix socket within the call of `listen`, so the mask makes it private from its first moment. */
function listenPrivately(server: Server, path: string): void {
  if (!isMainThread) {
    server.listen(path);
    return;
  }
  const before = process.umask(SOCKET_UMASK);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
}
