import { readFileSync } from 'node:fs';
import { routerConfig } from '../../gateway/router/config.ts';
import type { MdmSink } from '../../gateway/router/mdm/sink.ts';
import { createRecordWriter } from '../../gateway/router/record/write.ts';
import { householdIndex, MIDNIGHT_SECONDS } from '../../gateway/router/testing/household.ts';
import { createWorld } from '../../gateway/router/testing/world.ts';
import { uplink } from '../../gateway/router/uplink.ts';
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
  readonly payload: Uint8Array;
  readonly sealed: Uint8Array;
  readonly signed: Uint8Array;
  readonly recordBytes: number;
}

export interface BenchRouter {
  /** One message through the whole page, up to an MDM that says yes at once. */
  readonly step: (at: number) => Promise<unknown>;
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
  const messages = Array.from({ length: devices }, (_, at) => {
    const identity = world.device(tenant);
    const payload = encodeDailyIndex(householdIndex(tenant, identity.device, at + 1, random));
    return {
      device: identity.device,
      payload,
      sealed: world.seal(identity, { payload, owner: tenant }).sealed,
    };
  });
  const keys = [world.sealingKey(tenant)];
  const config = routerConfig.parse({
    mode: 'development',
    tenant,
    sealingKeys: [{ certificate: 'unused', key: 'unused' }],
    trust: { root: 'unused', issuers: [{ tenant, certificate: 'unused' }] },
    mdm: { url: 'http://127.0.0.1:1/' },
  });
  let recordBytes = 0;
  const sink: MdmSink = {
    deliver({ body }) {
      recordBytes = body.length;
      return Promise.resolve({ outcome: 'accepted' });
    },
    close: () => Promise.resolve(),
  };
  const parts = {
    tenant,
    config,
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
  const [first] = messages;
  const { signed } = openUplink({
    sealed: first!.sealed,
    binding: { tenant, device: first!.device, kind: 'index' },
    keys,
  });
  return {
    step: async (at) => {
      const answer = await uplink(parts, messages[at % devices]!);
      if (answer.kind !== 'receipt' || recordBytes === 0) throw new Error('not delivered');
      return answer;
    },
    get sample() {
      return { payload: first!.payload, sealed: first!.sealed, signed, recordBytes };
    },
    remove: () => world.remove(),
  };
}
