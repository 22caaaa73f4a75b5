import type { TLSSocket } from 'node:tls';
import { endOfCertificate } from '../../pki/trust.ts';
import { encodeDownlinkAnswer } from '../../protocol/downlink.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { TenantBus } from '../bus/port.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import type { Counters } from '../runtime/counters.ts';
import { watchExpiry } from '../runtime/expiry.ts';
import type { Log } from '../runtime/log.ts';
import { AwakeNotices } from './awake.ts';
import { TenantBroker } from './broker.ts';
import type { FrontConfig } from './config.ts';
import { carryDownlink, type DownlinkRoad } from './downlink.ts';
import { FrameGuard, guardStream } from './guard.ts';
import { HeldMessages } from './held.ts';
import { Listener } from './listener.ts';
import { Presence } from './presence.ts';
import { Warden } from './revocation.ts';
import { Session } from './session.ts';
import { Tally } from './tally.ts';
import { TicketKeys } from './ticket-keys.ts';
import { trustRefusal } from './tls-failures.ts';
import { tlsOptions } from './tls-options.ts';
import { loadTrust, TrustFiles } from './trust-files.ts';
import type { UplinkRoad } from './uplink.ts';

export interface FrontOptions {
  readonly config: FrontConfig;
  /** Opens one tenant's side of the bus; the front closes what it opened. */
  readonly bus: (tenant: TenantId) => TenantBus;
  readonly log: Log;
  readonly counters: Counters;
  /** The real one, except in tests: certificates know no simulated time. */
  readonly clock?: Clock;
}

export interface RunningFront {
  readonly port: number;
  /** Who is connected: where commands find their device. */
  readonly presence: Presence;
  /** Read CAs, revocation lists, the own certificate and the ticket keys now: what the process does on SIGHUP. */
  reload(): Promise<void>;
  /** Take nothing new, let running answers arrive within `stopTimeoutMs`, close everything. */
  stop(): Promise<void>;
}

/** How often a stop looks whether the last answer has come. */
const STOP_POLL_MS = 10;

/**
 * Start the door that meters reach.
 *
 * It holds one private key, its TLS server key; it writes nothing to any disk; it knows device ids, tenant names,
 * sizes and times. What it lets in is decided by the certificate alone.
 *
 * @throws ERR_FRONT_*, ERR_TRUST_*, ERR_PKI_*
 */
export async function startFront({
  config,
  bus,
  log,
  counters,
  clock = systemClock,
}: FrontOptions): Promise<RunningFront> {
  const { limits } = config;
  const tenants = Object.keys(config.tenants) as TenantId[];
  const files = new TrustFiles(config);
  await files.note();
  const { trust, issuers, tls, serverKey } = await loadTrust(config, { clock, log });
  files.inForce({ issuers });

  const tally = new Tally(counters, log);
  const presence = new Presence(tenants);
  const held = new HeldMessages(limits);
  const buses = new Map(tenants.map((tenant) => [tenant, bus(tenant)]));
  const road: UplinkRoad = { buses, held, tally, answerTimeoutMs: limits.answerTimeoutMs };
  const notices = new AwakeNotices({ buses, tally, limits });
  const brokers = new Map<TenantId, TenantBroker>();
  for (const tenant of tenants)
    brokers.set(tenant, await TenantBroker.open(tenant, { limits, presence, tally, road, notices }));
  const warden = new Warden({
    trust,
    files,
    authorities: (pems) => listener.setAuthorities(pems),
    presence,
    tally,
    clock,
    log,
  });

  const secured = (socket: TLSSocket): void => {
    const session = identify(socket);
    if (session === undefined) return;
    const { home } = session;
    // A device that comes back takes the place of its own dead session, also when all places are taken.
    const full = presence.count(home) >= limits.connectionsPerTenantMax;
    if (full && presence.find(home, session.identity.device) === undefined) {
      session.refuse('connections-tenant');
      return;
    }
    guardStream(socket, {
      frames: new FrameGuard(limits),
      unreadBytesMax: limits.unreadBytesMax,
      refuse: (reason) => session.refuse(reason),
      slow: () => session.close('slow'),
    });
    presence.add(session);
    socket.once('close', () => {
      session.gone();
      presence.remove(session);
    });
    tally.count(socket.isSessionReused() ? 'handshakes.resumed' : 'handshakes.full');
    brokers.get(home)!.take(session);
  };

  /** Asked on every connection: on a resumed one, TLS itself looks at the certificate no more. */
  const identify = (socket: TLSSocket): Session | undefined => {
    try {
      const certificate = socket.getPeerX509Certificate();
      if (certificate !== undefined)
        return new Session(trust.identity(certificate, { atMs: clock.nowMs() }), socket, tally);
      tally.refused('certificate-missing');
    } catch (error) {
      tally.refused(trustRefusal(error));
    }
    socket.destroy();
    return undefined;
  };

  const listener = new Listener({ tls: tlsOptions(tls, limits), limits, tally, secured });
  gauges({ counters, presence, held, notices, listener, tenants });

  const stopAll = async (): Promise<void> => {
    await Promise.all([...brokers.values()].map((broker) => broker.close()));
    await listener.destroyAll();
    await Promise.all([...buses.values()].map((tenantBus) => tenantBus.close()));
  };

  let port: number;
  try {
    port = await listener.listen(config.listen.host, config.listen.port);
  } catch (error) {
    await stopAll();
    throw error;
  }

  serveCommands(buses, { presence, tally, limits });
  serverKey.serve((renewed) => listener.setServerKey(renewed));

  const timers = [
    setInterval(() => {
      serverKey.renew();
      void warden.reload();
    }, limits.revocationPollMs),
    setInterval(() => warden.closeExpired(), limits.sweepMs),
  ];
  const expiry = watchExpiry({
    read: () => [
      { kind: 'certificate', what: 'server', notAfterMs: endOfCertificate(serverKey.inForce.cert) },
      ...trust.endings,
    ],
    clock,
    log,
    counters,
  });
  const ticketKeys = new TicketKeys({ file: config.tls.ticketKeys, inForce: tls.ticketKeys, listener, log });
  timers.push(setInterval(() => void ticketKeys.renew(), ticketKeys.everyMs(limits)));

  return {
    port,
    presence,
    async reload() {
      serverKey.renew();
      await warden.reload(true);
      expiry.look();
      if (config.tls.ticketKeys !== undefined) await ticketKeys.renew();
    },
    async stop() {
      for (const timer of timers) clearInterval(timer);
      expiry.stop();
      listener.stopAccepting();
      for (const session of presence.sessions()) session.endWhenAnswered('stopping');
      await answersOrTimeout(held, limits.stopTimeoutMs);
      await stopAll();
    },
  };
}

/**
 * Take commands of every tenant from its bus. That a bus is not up yet keeps no meter out, and whoever closes it ends
 * this too: then every device of this front is absent.
 */
function serveCommands(buses: ReadonlyMap<TenantId, TenantBus>, road: DownlinkRoad): void {
  for (const [tenant, bus] of buses)
    bus
      .serve('down.command', async (request) => encodeDownlinkAnswer(carryDownlink(road, tenant, request)))
      .catch((error: unknown) => {
        if (!isHesError(error, 'ERR_BUS_CLOSED')) throw error;
      });
}

async function answersOrTimeout(held: HeldMessages, timeoutMs: number): Promise<void> {
  for (let waitedMs = 0; held.all > 0 && waitedMs < timeoutMs; waitedMs += STOP_POLL_MS)
    await new Promise((resolve) => setTimeout(resolve, STOP_POLL_MS));
}

function gauges(of: {
  readonly counters: Counters;
  readonly presence: Presence;
  readonly held: HeldMessages;
  readonly notices: AwakeNotices;
  readonly listener: Listener;
  readonly tenants: readonly TenantId[];
}): void {
  const { counters, presence, held, notices, listener } = of;
  counters.gauge('connections', () => listener.connections);
  counters.gauge('handshakes', () => listener.handshakes);
  counters.gauge('sessions', () => presence.size);
  counters.gauge('held', () => held.all);
  for (const tenant of of.tenants) {
    counters.gauge(`tenant.${tenant}.sessions`, () => presence.count(tenant));
    counters.gauge(`tenant.${tenant}.held`, () => held.of(tenant));
    counters.gauge(`tenant.${tenant}.waking`, () => notices.of(tenant));
  }
}
