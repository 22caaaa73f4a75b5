import { readFileSync } from 'node:fs';
import { routerConfig } from '../../gateway/router/config.ts';
import type { MdmSink } from '../../gateway/router/mdm/sink.ts';
import { createRecordWriter } from '../../gateway/router/record/write.ts';
import { householdIndex, MIDNIGHT_SECONDS } from '../../gateway/router/testing/household.ts';
import { createWorld } from '../../gateway/router/testing/world.ts';
import { type UplinkParts, uplink } from '../../gateway/router/uplink.ts';
import { manualClock, systemClock } from '../../gateway/runtime/clock.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { silentLog } from '../../gateway/runtime/log.ts';
import { seededRandom } from '../../gateway/runtime/random.ts';
import { createDeviceTrust } from '../../pki/trust.ts';
import { openUplink } from '../../protocol/envelope.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { encodeDailyIndex } from '../../protocol/payload.ts';

/** Readings that come together, as the bus brings them at load. */
export const BATCH = 32;

export interface Sample {
  /** What the messages open to, for the floor. */
  readonly signed: readonly Uint8Array[];
  readonly payloadBytes: number;
  readonly sealedBytes: number;
  readonly recordBytes: number;
}

export interface BenchRouter {
  /** BATCH messages through the whole page, up to an MDM that says yes at once. */
  readonly batch: () => Promise<void>;
  readonly sample: Sample;
  remove(): void;
}

/** A router of one tenant with full days of households, of as many devices, sealed beforehand. */
export function createBenchRouter(
  tenant: TenantId,
  { devices, signersMax }: { readonly devices: number; readonly signersMax: number },
): BenchRouter {
  const world = createWorld([tenant]);
  const random = seededRandom('bench', 'router');
  const keys = [world.sealingKey(tenant)];
  const messages = Array.from({ length: devices }, (_, at) => {
    const identity = world.device(tenant);
    const { device } = identity;
    const payload = encodeDailyIndex(householdIndex(tenant, device, at + 1, random));
    const { sealed } = world.seal(identity, { payload, owner: tenant });
    const { signed } = openUplink({ sealed, binding: { tenant, device, kind: 'index' }, keys });
    return { device, payload, sealed, signed };
  });
  let recordBytes = 0;
  const sink: MdmSink = {
    deliver({ body }) {
      recordBytes = body.length;
      return Promise.resolve({ outcome: 'accepted' });
    },
    close: () => Promise.resolve(),
  };
  const parts: UplinkParts = {
    tenant,
    config: routerConfig.parse({
      mode: 'development',
      tenant,
      sealingKeys: [{ certificate: 'unused', key: 'unused' }],
      trust: { root: 'unused', issuers: [{ tenant, certificate: 'unused' }] },
      mdm: { url: 'http://127.0.0.1:1/' },
    }),
    keys,
    trust: createDeviceTrust({
      tenant,
      root: world.pki.root.pem,
      issuers: [{ tenant, certificate: readFileSync(world.pki.layout.issuing(tenant).certificate, 'utf8') }],
      development: true,
      signersMax,
    }),
    writeRecord: createRecordWriter(),
    sink,
    clock: manualClock(MIDNIGHT_SECONDS * 1_000),
    certificateClock: systemClock,
    random,
    counters: new Counters(),
    log: silentLog,
  };
  let next = 0;
  return {
    async batch() {
      const running = [];
      for (let at = 0; at < BATCH; at++) running.push(uplink(parts, messages[next++ % devices]!));
      for (const answer of running)
        if ((await answer).kind !== 'receipt') throw new Error('a message was not delivered');
    },
    get sample() {
      const { payload, sealed } = messages[0]!;
      const signed = messages.map((message) => message.signed);
      return { signed, payloadBytes: payload.length, sealedBytes: sealed.length, recordBytes };
    },
    remove: () => world.remove(),
  };
}
