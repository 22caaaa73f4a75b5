import { routerConfig } from '../../gateway/router/config.ts';
import { createRecordWriter } from '../../gateway/router/record/write.ts';
import { type UplinkParts, uplink } from '../../gateway/router/uplink.ts';
import { manualClock } from '../../gateway/runtime/clock.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { silentLog } from '../../gateway/runtime/log.ts';
import { seededRandom } from '../../gateway/runtime/random.ts';
import { makeRoot } from '../../pki/testing/field.ts';
import { makeOfficeIssuing, makeOfficeRoot } from '../../pki/testing/office.ts';
import { createDeviceTrust, createTlsTrust, type DeviceTrust, type TlsTrust } from '../../pki/trust.ts';
import { equalBytes } from '../../pki/x509/der.ts';
import { officeIssuingUri, PRODUCTION_ORGANIZATION } from '../../pki/x509/names.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import type { UplinkAnswer } from '../../protocol/uplink.ts';
import { type Sealing, YearCa } from './year-ca.ts';
import { YearMdm } from './year-mdm.ts';
import { DAY_MS, FARYS, GRACE_MS, LIFE_DAYS, OPERATORS, ORES, START_MS } from './year-plan.ts';
import { type Published, Reader } from './year-readers.ts';

/**
 * The head-end and the CAs of a year: the parts that run in production, with one simulated clock for all of them, and
 * without sockets between them.
 */

/** What may be broken on purpose, to see whether the judge notices. */
export interface YearFaults {
  /** Lists are read again this late, and not within the bound. */
  readonly routersReadEveryMs?: number;
  readonly frontReadsEveryMs?: number;
  /** The old sealing key is destroyed the moment there is a new one. */
  readonly hastyRollOver?: boolean;
  /** The old issuing CA is not trusted from the moment on at which there is a new one. */
  readonly hastyCa?: boolean;
  readonly mdmDrops?: (key: string) => boolean;
}

export interface Operator {
  readonly tenant: TenantId;
  readonly ca: YearCa;
  readonly mdm: YearMdm;
  /** What devices are to seal to, and what is opened beside it. */
  sealing: Sealing;
  former: readonly Sealing[];
}

const since = { notBeforeMs: START_MS - 2 * 365 * DAY_MS } as const;

export class YearWorld {
  readonly clock = manualClock(START_MS - LIFE_DAYS * DAY_MS);
  readonly counters = new Counters();
  readonly root = makeRoot(since);
  readonly operators: ReadonlyMap<TenantId, Operator>;
  readonly #faults: YearFaults;
  readonly #routers = new Map<
    TenantId,
    { readonly reader: Reader<DeviceTrust>; readonly parts: UplinkParts }
  >();
  readonly #front: Reader<TlsTrust>;

  constructor(options: { readonly folder: string; readonly seed: number; readonly faults?: YearFaults }) {
    const { folder, seed, faults = {} } = options;
    this.#faults = faults;
    const officeRoot = makeOfficeRoot(since);
    const { root, clock } = this;
    this.operators = new Map(
      OPERATORS.map((tenant) => {
        const uri = officeIssuingUri(tenant);
        const issuing = makeOfficeIssuing(officeRoot, tenant, {
          ...since,
          subject: { organization: PRODUCTION_ORGANIZATION, commonName: uri },
          names: { uris: [uri] },
        });
        const ca = new YearCa({ tenant, folder, clock, root, office: { root: officeRoot, issuing } });
        const mdm = new YearMdm(seededRandom(seed, 'mdm', tenant), faults.mdmDrops);
        return [tenant, { tenant, ca, mdm, sealing: ca.newSealing(), former: [] }];
      }),
    );
    for (const operator of this.operators.values())
      this.#routers.set(operator.tenant, this.#router(operator, seed));
    const anchors = { root: root.certificatePem, crlGraceMs: GRACE_MS };
    this.#front = new Reader(
      () => together([...this.operators.values()]),
      (files) => createTlsTrust({ ...anchors, ...files }),
      faults.frontReadsEveryMs,
    );
  }

  get nowMs(): number {
    return this.clock.nowMs();
  }

  /** The clock goes on, and whoever reads lists has read them by his bound. */
  advance(atMs: number): void {
    this.clock.set(atMs);
    for (const { reader } of this.#routers.values()) reader.readAgain(atMs);
    this.#front.readAgain(atMs);
  }

  of(tenant: TenantId): Operator {
    return this.operators.get(tenant)!;
  }

  /** What the front says to a certificate of TLS, at each connection. @throws ERR_TRUST_* */
  connect(certificate: Uint8Array): DeviceId {
    return this.#front.trust.identity(certificate, { atMs: this.nowMs }).device;
  }

  uplink(owner: TenantId, device: DeviceId, sealed: Uint8Array): Promise<UplinkAnswer> {
    return uplink(this.#routers.get(owner)!.parts, { device, sealed });
  }

  /** What each CA does by itself, each hour in production: a list of today. */
  publish(): void {
    for (const { ca } of this.operators.values()) ca.publish();
  }

  /** From now on devices are to seal to a new key, and the router opens with both. */
  rollSealingKey(tenant: TenantId): void {
    const operator = this.of(tenant);
    operator.former = this.#faults.hastyRollOver === true ? [] : [operator.sealing];
    operator.sealing = operator.ca.newSealing();
  }

  destroyFormerSealingKey(tenant: TenantId): void {
    this.of(tenant).former = [];
  }

  /** A new issuing CA, by which a new sealing key is announced; everybody trusts it before it certifies anything. */
  bringIssuingCa(tenant: TenantId): void {
    this.of(tenant).ca.bringNext();
  }

  useIssuingCa(tenant: TenantId): void {
    const { ca } = this.of(tenant);
    ca.useNext();
    if (this.#faults.hastyCa === true) ca.retireOld();
    this.rollSealingKey(tenant);
  }

  retireIssuingCa(tenant: TenantId): void {
    this.of(tenant).ca.retireOld();
  }

  close(): void {
    for (const { ca } of this.operators.values()) ca.register.close();
  }

  #router(operator: Operator, seed: number) {
    const { tenant, mdm } = operator;
    // A water company takes in the devices of the first operator too, on which its meters hang.
    const homes = tenant === FARYS ? [this.of(ORES), operator] : [operator];
    const root = this.root.certificatePem;
    const reader = new Reader(
      () => together(homes),
      (files) => createDeviceTrust({ tenant, root, crlGraceMs: GRACE_MS, ...files }),
      this.#faults.routersReadEveryMs,
    );
    const parts: UplinkParts = {
      tenant,
      config: routerConfig.parse({
        tenant,
        sealingKeys: [{ certificate: '-', key: '-' }],
        trust: { root: '-', issuers: [{ tenant, certificate: '-' }] },
        mdm: { url: 'https://mdm.invalid/' },
      }),
      get keys() {
        return [operator.sealing, ...operator.former].map(({ key }) => key);
      },
      // As gateway/router/keyring.ts: whoever sealed to another key than the newest is told.
      opened: (kid) => (equalBytes(kid, operator.sealing.key.kid) ? undefined : operator.sealing.notice),
      trust: reader.trust,
      writeRecord: createRecordWriter(),
      sink: mdm,
      clock: this.clock,
      certificateClock: this.clock,
      random: seededRandom(seed, 'router', tenant),
      counters: this.counters,
      log: silentLog,
    };
    return { reader, parts };
  }
}

const together = (operators: readonly Operator[]): Published => {
  const all = operators.map(({ ca }) => ca.published());
  return {
    issuers: all.flatMap(({ issuers }) => issuers),
    crlFiles: all.flatMap(({ crlFiles }) => crlFiles),
  };
};
