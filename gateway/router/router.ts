import { encodeUplinkAnswer, type UplinkAnswer } from '../../protocol/uplink.ts';
import type { BusRequest, BusSubject, TenantBus } from '../bus/port.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { clockOf } from '../runtime/clock-config.ts';
import type { Counters } from '../runtime/counters.ts';
import { watchExpiry } from '../runtime/expiry.ts';
import type { Log } from '../runtime/log.ts';
import { type Random, systemRandom } from '../runtime/random.ts';
import type { RouterConfig } from './config.ts';
import { createDeskLine } from './desk.ts';
import { RouterEndings } from './endings.ts';
import { routerError } from './errors.ts';
import { Keyring } from './keyring.ts';
import { BatchingSink } from './mdm/batching-sink.ts';
import { createMdmClient } from './mdm/client.ts';
import { createRecordWriter } from './record/write.ts';
import { event, type ResultParts, result } from './results.ts';
import type { Uplink } from './steps.ts';
import { openTrust } from './trust.ts';
import { uplink } from './uplink.ts';

export interface RouterParts {
  readonly config: RouterConfig;
  /** This tenant's side of the bus. */
  readonly bus: TenantBus;
  readonly log: Log;
  readonly counters: Counters;
  /** In place of the one that the configuration describes. */
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface RunningRouter {
  /** Read CAs, revocation lists, sealing keys and the notice now: what the process does on SIGHUP. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

interface Road {
  readonly subject: BusSubject;
  /** What its counters begin with. */
  readonly counted: string;
  readonly heldMax: number;
  readonly take: (router: ResultParts, message: Uplink) => Promise<UplinkAnswer>;
}

/** A stop lets the MDM finish what it was asked; what is still open then is told `later`. */
const FINISH_WITHIN_MS = 2_000;

/**
 * Serve one tenant's readings, results and events from the bus until `stop`. Writes nothing anywhere, so it runs under
 * `--permission` with the right to read its own few files and to use the network.
 *
 * @throws ERR_ROUTER_TENANT where bus and configuration disagree; ERR_TRUST_*, ERR_PKI_* for keys and trust
 */
export async function startRouter(parts: RouterParts): Promise<RunningRouter> {
  const { config, bus, log, counters, random = systemRandom } = parts;
  if (bus.tenant !== config.tenant)
    throw routerError('ERR_ROUTER_TENANT', 'bus and configuration are of different tenants', {
      context: { bus: bus.tenant, tenant: config.tenant },
    });
  const keyring = await Keyring.open(config, log, counters);
  const { trust, reload, close: closeTrust } = await openTrust(config, log, () => keyring.reload());
  const endings = await RouterEndings.open(config, trust, log);
  const expiry = watchExpiry({
    read: () => endings.read(),
    clock: systemClock,
    log,
    counters,
  });
  const client = await createMdmClient(config.mdm);
  const sink = new BatchingSink({
    config: config.mdm,
    client,
    counters,
    log,
    random,
    now: () => performance.now(),
  });
  const router: ResultParts = {
    tenant: config.tenant,
    config,
    get keys() {
      return keyring.keys;
    },
    opened: (kid) => keyring.opened(kid),
    trust,
    sink,
    desk: createDeskLine({ bus, config: config.desk, counters, random }),
    writeRecord: createRecordWriter(),
    clock: parts.clock ?? clockOf(config.clock),
    certificateClock: systemClock,
    random,
    counters,
    log,
  };

  let stopping = false;

  /** One kind of message, with a bound of its own on how many are in hand. */
  function serve(road: Road): Promise<{ stop(): Promise<void> }> {
    const { subject, counted, heldMax, take } = road;
    let held = 0;
    counters.gauge(`${counted === '' ? 'uplink.' : counted}held`, () => held);

    const refuse = (reason: 'overloaded' | 'stopping' | 'internal'): UplinkAnswer => {
      counters.count(`${counted}refused.${reason}`);
      return { kind: 'refused', reason };
    };

    const answer = async ({ device, body }: BusRequest): Promise<UplinkAnswer> => {
      counters.count(`${counted}received`);
      if (stopping) return refuse('stopping');
      // Shed before any decryption: what is dropped must cost less than what is taken.
      if (held >= heldMax) return refuse('overloaded');
      held++;
      try {
        return await take(router, { device, sealed: body });
      } catch (error) {
        log.error({ err: error, device }, 'an uplink failed here; the device keeps what it sent');
        return refuse('internal');
      } finally {
        held--;
      }
    };

    return bus.serve(subject, async (request) => encodeUplinkAnswer(await answer(request)));
  }

  const { heldMax } = config.desk;
  const roads: readonly Road[] = [
    { subject: 'up.index', counted: '', heldMax: config.limits.heldMax, take: uplink },
    { subject: 'up.result', counted: 'result.', heldMax, take: result },
    { subject: 'up.event', counted: 'event.', heldMax, take: event },
  ];
  const serving: { stop(): Promise<void> }[] = [];
  for (const road of roads) serving.push(await serve(road));

  return {
    async reload() {
      await reload();
      await endings.refresh();
      expiry.look();
    },
    async stop() {
      stopping = true;
      closeTrust();
      expiry.stop();
      const served = Promise.all(serving.map((subject) => subject.stop()));
      const grace = setTimeout(() => void sink.close(), FINISH_WITHIN_MS);
      await served;
      clearTimeout(grace);
      await sink.close();
    },
  };
}
