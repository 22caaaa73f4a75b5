import { loadSealingKey } from '../../pki/trust.ts';
import { encodeUplinkAnswer, type UplinkAnswer } from '../../protocol/uplink.ts';
import type { BusRequest, BusSubject, TenantBus } from '../bus/port.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { clockOf } from '../runtime/clock-config.ts';
import type { Counters } from '../runtime/counters.ts';
import type { Log } from '../runtime/log.ts';
import { type Random, systemRandom } from '../runtime/random.ts';
import type { RouterConfig } from './config.ts';
import { routerError } from './errors.ts';
import { BatchingSink } from './mdm/batching-sink.ts';
import { createMdmClient } from './mdm/client.ts';
import { createRecordWriter } from './record/write.ts';
import { openTrust } from './trust.ts';
import { type UplinkParts, uplink } from './uplink.ts';

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

/** What else a device may send. Nobody here takes it yet: it is refused by name, rather than left unanswered. */
const SUBJECTS_TO_COME: readonly BusSubject[] = ['up.event', 'up.result'];

/** A stop lets the MDM finish what it was asked; what is still open then is told `later`. */
const FINISH_WITHIN_MS = 2_000;

/**
 * Serve one tenant's readings from the bus until `stop`. Writes nothing anywhere, so it runs under
 * `--permission` with the right to read its own few files and to use the network.
 *
 * @throws ERR_ROUTER_TENANT where bus and configuration disagree; ERR_TRUST_*, ERR_PKI_* for keys and trust
 */
export async function startRouter(parts: RouterParts): Promise<{ stop(): Promise<void> }> {
  const { config, bus, log, counters, random = systemRandom } = parts;
  if (bus.tenant !== config.tenant)
    throw routerError('ERR_ROUTER_TENANT', 'bus and configuration are of different tenants', {
      context: { bus: bus.tenant, tenant: config.tenant },
    });
  const development = config.mode === 'development';
  const keys = config.sealingKeys.map((files) =>
    loadSealingKey(files, { tenant: config.tenant, development }),
  );
  const { trust, close: closeTrust } = await openTrust(config, log);
  const client = await createMdmClient(config.mdm);
  const sink = new BatchingSink({
    config: config.mdm,
    client,
    counters,
    log,
    random,
    now: () => performance.now(),
  });
  const uplinkParts: UplinkParts = {
    tenant: config.tenant,
    config,
    keys,
    trust,
    sink,
    writeRecord: createRecordWriter(),
    clock: parts.clock ?? clockOf(config.clock),
    certificateClock: systemClock,
    random,
    counters,
    log,
  };

  let held = 0;
  let stopping = false;
  counters.gauge('uplink.held', () => held);

  const refuse = (reason: 'overloaded' | 'stopping' | 'internal' | 'unsupported'): UplinkAnswer => {
    counters.count(`refused.${reason}`);
    return { kind: 'refused', reason };
  };

  async function answer({ device, body }: BusRequest): Promise<UplinkAnswer> {
    counters.count('received');
    if (stopping) return refuse('stopping');
    // Shed before any decryption: what is dropped must cost less than what is taken.
    if (held >= config.limits.heldMax) return refuse('overloaded');
    held++;
    try {
      return await uplink(uplinkParts, { device, sealed: body });
    } catch (error) {
      log.error({ err: error, device }, 'an uplink failed here; the device keeps its reading');
      return refuse('internal');
    } finally {
      held--;
    }
  }

  const serving = [await bus.serve('up.index', async (request) => encodeUplinkAnswer(await answer(request)))];
  for (const subject of SUBJECTS_TO_COME)
    serving.push(await bus.serve(subject, async () => encodeUplinkAnswer(refuse('unsupported'))));

  return {
    async stop() {
      stopping = true;
      closeTrust();
      const served = Promise.all(serving.map((subject) => subject.stop()));
      const grace = setTimeout(() => void sink.close(), FINISH_WITHIN_MS);
      await served;
      clearTimeout(grace);
      await sink.close();
    },
  };
}
