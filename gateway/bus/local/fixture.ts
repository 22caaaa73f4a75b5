import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TenantId } from '../../../protocol/identity.ts';
import { seededRandom } from '../../runtime/random.ts';
import { type BusFixture, ORES, RESA, type Responder } from '../contract.ts';
import { BEHAVIOURS } from '../contract-behaviours.ts';
import type { TenantBus } from '../port.ts';
import { type LocalHub, startLocalHub } from './hub.ts';
import { LOCAL_BUS_LIMITS } from './limits.ts';
import { connectLocalBus, type LocalBusOptions } from './peer.ts';

/** An empty private folder; short, since socket paths are. */
export function temporaryDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'hes-bus-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A peer whose line can be cut as if its process had been killed. */
export function cuttablePeer(options: Omit<LocalBusOptions, 'dial'>): { bus: TenantBus; cut(): void } {
  const sockets = new Set<Socket>();
  const dial = (path: string): Socket => {
    const socket = connect(path);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  const bus = connectLocalBus({ random: seededRandom(1), ...options, dial });
  return {
    bus,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The local bus within one process, over real sockets; who asks is the hub's own process, or a peer like others. */
export async function localFixture(asking: 'hub' | 'peer'): Promise<BusFixture> {
  const directory = temporaryDirectory();
  const limits = { ...LOCAL_BUS_LIMITS };
  const start = (): Promise<LocalHub> =>
    startLocalHub({ directory: directory.path, tenants: [ORES, RESA], limits });
  let hub = await start();
  let responders = 0;
  const requesters = new Map<TenantId, Promise<TenantBus>>();
  const peers = new Set<{ bus: TenantBus; cut(): void }>();
  const connected = async (tenant: TenantId): Promise<TenantBus> => {
    const peer = cuttablePeer({ directory: directory.path, tenant, limits });
    peers.add(peer);
    await (await peer.bus.serve('up.result', async (request) => request.body)).stop();
    return peer.bus;
  };
  return {
    bodyBytesMax: limits.bodyBytesMax,
    inFlightMax: limits.inFlightMax,
    async requester(tenant) {
      if (asking === 'hub') return hub.bus(tenant);
      const known = requesters.get(tenant) ?? connected(tenant);
      requesters.set(tenant, known);
      return known;
    },
    async responder(tenant, subject, behaviour): Promise<Responder> {
      const name = `responder-${++responders}`;
      const peer = cuttablePeer({ directory: directory.path, tenant, limits });
      peers.add(peer);
      const handler = BEHAVIOURS[behaviour]({ name, bodyBytesMax: limits.bodyBytesMax });
      const serving = await peer.bus.serve(subject, handler);
      return {
        name,
        stop: () => serving.stop(),
        // Cut first and then closed, so that it says no farewell and does not come back.
        kill: async () => {
          peer.cut();
          void peer.bus.close();
        },
      };
    },
    async restartCarrier() {
      await hub.close();
      hub = await start();
    },
    async close() {
      for (const peer of peers) {
        peer.cut();
        void peer.bus.close();
      }
      await hub.close();
      directory.remove();
    },
  };
}
