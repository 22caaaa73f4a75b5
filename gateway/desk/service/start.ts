import { randomBytes } from 'node:crypto';
import type { TenantBus } from '../../bus/port.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import type { Counters } from '../../runtime/counters.ts';
import { watchExpiry } from '../../runtime/expiry.ts';
import type { Log } from '../../runtime/log.ts';
import { type Random, systemRandom } from '../../runtime/random.ts';
import { ChangeFeed } from '../api/feed.ts';
import { apiRoutes } from '../api/routes.ts';
import { startApi } from '../api/server.ts';
import { CAMPAIGN_ROUTES } from '../campaigns/routes.ts';
import { actorOf } from '../context.ts';
import { createDesk, type Desk } from '../desk.ts';
import { deskError } from '../errors.ts';
import { createRecipients } from '../registry/recipient.ts';
import type { DeskStore, StoredCommand } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite/store.ts';
import { type DeskConfig, policyOfConfig } from './config.ts';
import { Dispatcher } from './dispatcher.ts';
import { importRegistry } from './registry-file.ts';
import { createRoad } from './road.ts';
import { serveSignals } from './signals.ts';
import { openTrust } from './trust.ts';

export interface DeskParts {
  readonly config: DeskConfig;
  /** This tenant's side of the bus. */
  readonly bus: TenantBus;
  readonly log: Log;
  readonly counters: Counters;
  /** Always the real one but in tests: people sign with it. */
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface RunningDesk {
  readonly port: number;
  readonly desk: Desk;
  readonly store: DeskStore;
  /** Read trust, the own certificate and the registry again: what the process does on SIGHUP. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * One tenant's desk as a service: its store, whom it trusts, its API, and what brings commands to devices and their
 * outcomes back.
 *
 * @throws ERR_DESK_TENANT where bus and configuration disagree; ERR_DESK_STORE*, ERR_DESK_REGISTRY, ERR_DESK_LISTEN,
 *   ERR_TRUST_*, ERR_PKI_*
 */
export async function startDesk(parts: DeskParts): Promise<RunningDesk> {
  const { config, bus, log, counters, clock = systemClock, random = systemRandom } = parts;
  const { tenant, dispatch, registry } = config;
  if (bus.tenant !== tenant)
    throw deskError('ERR_DESK_TENANT', 'bus and configuration are of different tenants', {
      context: { bus: bus.tenant, tenant },
    });
  const trust = await openTrust(config, clock, log);
  const expiry = watchExpiry({ read: () => trust.endings, clock, log, counters });
  const undo: (() => Promise<void> | void)[] = [() => trust.close(), () => expiry.stop()];
  const undone = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const store = openSqliteStore({ path: config.database, tenant });
    undo.push(() => store.close());
    const feed = new ChangeFeed(randomBytes(6).toString('hex'));
    const changed = (command: StoredCommand): void => {
      counters.count(`commands.${command.state}`);
      dispatcher.changed(command);
      feed.publish(command);
    };
    const desk = createDesk({
      store,
      trust: trust.signer,
      deviceKeys: trust.deviceKeys,
      deviceAgreement: trust.deviceAgreement,
      clock,
      random,
      policy: policyOfConfig(config),
      onChange: changed,
      onFault: (error) => log.error({ err: error }, 'campaigns cannot go on for now; they are tried again'),
    });
    const dispatcher = new Dispatcher({
      desk,
      store,
      road: createRoad(bus, dispatch.writtenWithinMs, trust.notice),
      recipientOf: createRecipients(),
      clock,
      random,
      counters,
      log,
      atOnceMax: dispatch.atOnceMax,
      unansweredMax: dispatch.unansweredMax,
      walkPerSecond: dispatch.walkPerSecond,
    });
    const readRegistry = async (): Promise<void> => {
      if (registry === undefined) return;
      const imported = await importRegistry(
        { file: registry, has: config.registryHas },
        { desk, store, log },
      );
      log.info(imported, 'the registry was read');
    };
    await readRegistry();
    undo.push(() => desk.campaigns.end());
    undo.push(() => dispatcher.stop());
    undo.push(await serveSignals({ bus, desk, dispatcher, clock, counters, log }));
    dispatcher.start();
    desk.campaigns.start();
    const api = await startApi({
      context: { tenant, desk, store, clock, feed, log },
      routes: apiRoutes(tenant, CAMPAIGN_ROUTES),
      caller: trust.caller,
      counters,
      listen: config.listen,
      tls: trust.tls,
      async onDenied(by, code) {
        const nothing = { device: null, command: null, type: null, from: null, to: null } as const;
        const entry = { ...nothing, event: 'denied', actor: actorOf(by), code, reason: null } as const;
        await store.transaction((transaction) =>
          transaction.audit({ ...entry, atMs: clock.nowMs(), digest: null }),
        );
      },
    });
    undo.push(() => {
      feed.close();
      return api.stop();
    });
    trust.onRenewed(() => api.closeDistrusted());
    trust.onServerKey((renewed) => api.setServerKey(renewed));
    const reload = async (): Promise<void> => {
      // Whoever was revoked is out before anything that may take its time.
      await trust.reload();
      expiry.look();
      await readRegistry();
    };
    return { port: api.port, desk, store, reload, stop: undone };
  } catch (error) {
    await undone();
    throw error;
  }
}
