import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import type { CounterSnapshot } from '../../gateway/runtime/counters.ts';
import { readText } from '../../pki/files/files.ts';
import { createDeviceTrust, type DeviceIdentity, loadSealingKey } from '../../pki/trust.ts';
import { openUplink, readSigner, verifyUplink } from '../../protocol/envelope.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { decodeDailyIndex } from '../../protocol/payload.ts';
import { type Receipt, readReceipt } from '../../protocol/receipt.ts';
import { parseTopic, type UpKind } from '../../protocol/topics.ts';
import { Field, PAIRS, TENANTS } from '../support/field.ts';
import { type HeadEnd, type HeadEndOptions, startHeadEnd } from '../support/head-end.ts';
import type { Heard } from '../support/line.ts';
import { type Crooked, type SealedMessage, sealIndex } from '../support/sealing.ts';

/** How long a count may lag behind what the device saw. */
const SETTLE_MS = 3_000;

/** What a case changes: every refusal, receipt and record of front, routers and MDMs, by name. */
export type Effects = Readonly<Record<string, number>>;

/** The devices of a field: what attacks, and what is attacked. */
class Devices {
  readonly #plain: ReadonlyMap<TenantId, readonly [DeviceIdentity, DeviceIdentity]>;
  readonly #carriers: ReadonlyMap<string, DeviceIdentity>;

  constructor(field: Field) {
    this.#plain = new Map(TENANTS.map((tenant) => [tenant, [field.device(tenant), field.device(tenant)]]));
    this.#carriers = new Map(PAIRS.map(([home, guest]) => [`${home} ${guest}`, field.device(home, [guest])]));
  }

  plain(tenant: TenantId): readonly [DeviceIdentity, DeviceIdentity] {
    return this.#plain.get(tenant)!;
  }

  carrier(home: TenantId, guest: TenantId): DeviceIdentity {
    return this.#carriers.get(`${home} ${guest}`)!;
  }
}

/** One head-end for all cases of a file, the devices that attack it, and a ledger of what may have arrived. */
export class World {
  readonly field: Field;
  readonly headEnd: HeadEnd;
  readonly #devices: Devices;
  readonly #ledger = new Map<TenantId, Set<string>>(TENANTS.map((tenant) => [tenant, new Set()]));
  #sequence = 0;

  private constructor(field: Field, headEnd: HeadEnd, devices: Devices) {
    this.field = field;
    this.headEnd = headEnd;
    this.#devices = devices;
  }

  static async create(options: HeadEndOptions = {}): Promise<World> {
    const field = new Field();
    try {
      return new World(field, await startHeadEnd(field, options), new Devices(field));
    } catch (error) {
      field.remove();
      throw error;
    }
  }

  /** Another head-end for the same devices; it is to be closed before this one. */
  async beside(options: HeadEndOptions): Promise<World> {
    return new World(this.field, await startHeadEnd(this.field, options), this.#devices);
  }

  get port(): number {
    return this.headEnd.port;
  }

  /** A device without guests. */
  plain(tenant: TenantId): DeviceIdentity {
    return this.#devices.plain(tenant)[0];
  }

  /** A second one of the same tenant. */
  other(tenant: TenantId): DeviceIdentity {
    return this.#devices.plain(tenant)[1];
  }

  /** A device of one tenant that carries a meter of another. */
  carrier(home: TenantId, guest: TenantId): DeviceIdentity {
    return this.#devices.carrier(home, guest);
  }

  seal(identity: DeviceIdentity, owner: TenantId, crooked: Crooked = {}): SealedMessage {
    this.#sequence += 1;
    return sealIndex(this.field, identity, owner, this.#sequence, crooked);
  }

  /** Say that this record is allowed to be at its MDM: nothing else may be, at the end. */
  allow(owner: TenantId, message: SealedMessage): void {
    this.#ledger.get(owner)!.add(message.key);
  }

  /** Do something and hold everything that it changed against what it should have. */
  async expectEffects<Result>(expected: Effects, act: () => Promise<Result>): Promise<Result> {
    const before = this.#effects();
    const result = await act();
    const endMs = performance.now() + SETTLE_MS;
    let changed = changes(before, this.#effects());
    while (!sameEffects(changed, expected) && performance.now() < endMs) {
      await delay(5);
      changed = changes(before, this.#effects());
    }
    expect(changed).toEqual(expected);
    return result;
  }

  /** Every MDM has exactly the records that were allowed, each saying itself whose it is. */
  expectNothingCrossed(): void {
    for (const tenant of TENANTS) {
      const records = this.headEnd.records(tenant);
      expect(records.map(({ key }) => key).toSorted(), tenant).toEqual(
        [...this.#ledger.get(tenant)!].toSorted(),
      );
      for (const { header, tenant: by } of records) expect([by, header.Tenant]).toEqual([tenant, tenant]);
    }
  }

  allowed(tenant: TenantId): number {
    return this.#ledger.get(tenant)!.size;
  }

  async close(): Promise<void> {
    await this.headEnd.stop();
    this.field.remove();
  }

  #effects(): CounterSnapshot {
    const { counters, mdmCounters } = this.headEnd;
    const effects: Record<string, number> = {};
    const take = (prefix: string, snapshot: CounterSnapshot, pattern: RegExp): void => {
      for (const [name, value] of Object.entries(snapshot))
        if (pattern.test(name) && value !== 0) effects[prefix + name] = value;
    };
    take('front ', counters.snapshot(), /^(refused|unanswered)\.|^receipts$|^bus\.(peer|refused)\./);
    take('', mdmCounters.snapshot(), /^mdm\.[a-z]+\.(accepted|duplicates|misrouted|rejected)/);
    for (const tenant of TENANTS)
      take(
        `router ${tenant} `,
        this.headEnd.routerCounters(tenant).snapshot(),
        /^((result|event)\.)?((refused|later)\.|(delivered|duplicate|later)$)/,
      );
    return effects;
  }
}

function changes(before: CounterSnapshot, after: CounterSnapshot): Effects {
  return Object.fromEntries(
    Object.entries(after).flatMap(([name, value]) => {
      const by = value - (before[name] ?? 0);
      return by === 0 ? [] : [[name, by]];
    }),
  );
}

function sameEffects(one: Effects, other: Effects): boolean {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

/** The effects of a message that its owner took. */
export const delivered = (owner: TenantId): Effects => ({
  'front receipts': 1,
  [`router ${owner} delivered`]: 1,
  [`mdm.${owner}.accepted`]: 1,
});

/** The effects of a message that its owner's router refused with an authentic receipt. */
export const refusedBy = (owner: TenantId, code: string): Effects => ({
  'front receipts': 1,
  [`router ${owner} refused.${code}`]: 1,
});

/** The effects of a message that a router could not open: there is no receipt, and the connection ends. */
export const unopenedBy = (tenant: TenantId, kind: UpKind = 'index'): Effects => ({
  'front unanswered.router-envelope': 1,
  [`router ${tenant} ${kind === 'index' ? '' : `${kind}.`}refused.envelope`]: 1,
});

export const turnedAway = (reason: string): Effects => ({ [`front refused.${reason}`]: 1 });

/** The one receipt that was heard, checked with the key of the message that it is about. */
export function receiptOf(heard: Heard, { receiptKey, binding, sequence }: SealedMessage): Receipt {
  expect(heard.acknowledged).toBe(true);
  expect(heard.receipts).toHaveLength(1);
  return readReceipt(receiptKey, heard.receipts[0]!.payload, { ...binding, sequence });
}

/** It was turned away: no acknowledgement, no receipt, and no connection any more. */
export function expectUnanswered(heard: Heard): void {
  expect(heard).toMatchObject({ acknowledged: false, receipts: [], closed: true });
}

/**
 * Why a router that is given these bytes for this topic refuses them, by its own pieces. The counters and receipts
 * tell kinds of refusals apart; this tells apart what they hold together.
 */
export function causeOf(
  field: Field,
  topicText: string,
  sealed: Uint8Array,
  issuers: readonly TenantId[] = TENANTS,
): string {
  const { tenant, device, kind } = parseTopic(topicText);
  const { layout, owners, root } = field.pki;
  const key = loadSealingKey(layout.sealing(tenant, owners.get(tenant)!.kid), { tenant, development: true });
  const trust = createDeviceTrust({
    tenant,
    root: root.pem,
    issuers: issuers.map((issuer) => ({
      tenant: issuer,
      certificate: readText(layout.issuing(issuer).certificate),
    })),
    crls: issuers.map((issuer) => readText(layout.crl(issuer))),
    development: true,
  });
  const binding = { tenant, device, kind: kind as 'index' };
  try {
    const { signed } = openUplink({ sealed, binding, keys: [key] });
    const publicKey = trust.signer(readSigner(signed), { device, atMs: Date.now() });
    const index = decodeDailyIndex(verifyUplink({ signed, binding, publicKey }));
    if (index.tenant !== tenant) return 'the payload names another tenant';
    return index.device === device ? 'nothing' : 'the payload names another device';
  } catch (error) {
    if (isHesError(error)) return error.code;
    throw error;
  }
}
