import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { routerConfig } from '../../gateway/router/config.ts';
import { createRecordWriter } from '../../gateway/router/record/write.ts';
import { type UplinkParts, uplink } from '../../gateway/router/uplink.ts';
import { manualClock } from '../../gateway/runtime/clock.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { silentLog } from '../../gateway/runtime/log.ts';
import { seededRandom } from '../../gateway/runtime/random.ts';
import { type Authority, createAuthority } from '../../pki/ca/authority.ts';
import { openRegister, type Register } from '../../pki/ca/register.ts';
import { newKeyPair, type SigningAuthority } from '../../pki/certify.ts';
import { createEnrolment, type Enrolment } from '../../pki/est/enrolment.ts';
import { officeIssuingUri, PRODUCTION_ORGANIZATION } from '../../pki/names.ts';
import { makeNotice } from '../../pki/notice.ts';
import { readPem } from '../../pki/pem.ts';
import { makeIssuing, makeRoot } from '../../pki/testing/field.ts';
import { makeOfficeIssuing, makeOfficeRoot } from '../../pki/testing/office.ts';
import { createDeviceTrust, createTlsTrust, type PinnedIssuer, sealingKid } from '../../pki/trust.ts';
import type { SealingKey } from '../../protocol/envelope.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import type { UplinkAnswer } from '../../protocol/uplink.ts';
import { YearMdm } from './year-mdm.ts';
import {
  DAY_MS,
  FARYS,
  GRACE_MS,
  LIFE_DAYS,
  LIST_DAYS,
  OPERATORS,
  ORES,
  RELOAD_MS,
  START_MS,
} from './year-plan.ts';

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
  readonly mdmDrops?: (key: string) => boolean;
}

export interface IssuingCa {
  readonly issuer: SigningAuthority;
  /** For devices, whose certificates end soon. */
  readonly authority: Authority;
  /** The same CA for what lives as long as its profile says. */
  readonly services: Authority;
  readonly enrolment: Enrolment;
  readonly crlFile: string;
}

export interface Operator {
  readonly tenant: TenantId;
  readonly register: Register;
  readonly mdm: YearMdm;
  /** The newest first: by it new certificates are made. */
  cas: readonly IssuingCa[];
  /** To whom devices are to seal: the certificate, and its CA's after it (PEM). */
  sealing: { readonly kid: string; readonly certificate: string };
  notice: Uint8Array;
  keys: readonly SealingKey[];
  /** Made anew where an issuing CA comes or goes. */
  router: UplinkParts;
}

/** Lists that somebody holds in force, from files, read again within the bound. */
class Lists {
  readonly #files: () => readonly string[];
  readonly #everyMs: number;
  #turn = -1;
  #inForce: readonly string[] = [];
  #replace: (lists: readonly string[]) => void = () => undefined;

  constructor(files: () => readonly string[], everyMs = RELOAD_MS) {
    this.#files = files;
    this.#everyMs = everyMs;
  }

  read(): readonly string[] {
    this.#inForce = this.#files().map((file) => readFileSync(file, 'utf8'));
    return this.#inForce;
  }

  /** Who has to be told of new ones. */
  tell(replace: (lists: readonly string[]) => void): void {
    this.#replace = replace;
  }

  readAgain(nowMs: number): void {
    const turn = Math.floor(nowMs / this.#everyMs);
    if (turn === this.#turn) return;
    this.#turn = turn;
    const before = this.#inForce;
    const now = this.read();
    if (now.some((list, at) => list !== before[at])) this.#replace(now);
  }
}

const YEARS_OF_A_CA = 10 * 365;
const since = { notBeforeMs: START_MS - 2 * 365 * DAY_MS } as const;

export class YearWorld {
  readonly clock = manualClock(START_MS - LIFE_DAYS * DAY_MS);
  readonly counters = new Counters();
  readonly root = makeRoot(since);
  readonly #officeRoot = makeOfficeRoot(since);
  readonly #offices = new Map<TenantId, SigningAuthority>();
  readonly operators: ReadonlyMap<TenantId, Operator>;
  readonly #folder: string;
  readonly #faults: YearFaults;
  readonly #seed: number;
  readonly #routerLists = new Map<TenantId, Lists>();
  readonly #frontLists: Lists;
  #front: ReturnType<typeof createTlsTrust>;

  constructor(options: { readonly folder: string; readonly seed: number; readonly faults?: YearFaults }) {
    this.#folder = options.folder;
    this.#seed = options.seed;
    this.#faults = options.faults ?? {};
    this.#frontLists = new Lists(
      () => [...this.operators.values()].flatMap(({ cas }) => cas.map((ca) => ca.crlFile)),
      this.#faults.frontReadsEveryMs,
    );
    this.operators = new Map(OPERATORS.map((tenant) => [tenant, this.#operator(tenant)]));
    for (const operator of this.operators.values()) this.#openRouter(operator);
    this.#front = this.#openFront();
  }

  get nowMs(): number {
    return this.clock.nowMs();
  }

  /** The clock goes on, and whoever reads lists has read them by his bound. */
  advance(atMs: number): void {
    this.clock.set(atMs);
    for (const lists of this.#routerLists.values()) lists.readAgain(atMs);
    this.#frontLists.readAgain(atMs);
  }

  of(tenant: TenantId): Operator {
    return this.operators.get(tenant)!;
  }

  /** What the front says to a certificate of TLS, at each connection. @throws ERR_TRUST_* */
  connect(certificate: Uint8Array): DeviceId {
    return this.#front.identity(certificate, { atMs: this.nowMs }).device;
  }

  async uplink(owner: TenantId, device: DeviceId, sealed: Uint8Array): Promise<UplinkAnswer> {
    const { router, keys, notice } = this.of(owner);
    const answer = await uplink(router, { device, sealed });
    return answer.kind === 'receipt' && keys.length > 1 ? { ...answer, notice } : answer;
  }

  /** What each CA does by itself, each hour in production: a list of today. */
  publish(): void {
    for (const { cas } of this.operators.values())
      for (const { authority } of cas) authority.publishCrl('service');
  }

  /** A sealing key with its certificate by the newest CA. */
  newSealingKey(operator: Pick<Operator, 'cas'>): {
    readonly sealing: Operator['sealing'];
    readonly key: SealingKey;
  } {
    const { cas } = operator;
    const pair = newKeyPair();
    const { issuer, services } = cas[0]!;
    const { pem } = services.issue({ profile: 'sealing', publicKey: pair.spki, name: {}, by: 'test' });
    const kid = sealingKid(pair.spki);
    return {
      sealing: { kid: Buffer.from(kid).toString('hex'), certificate: pem + issuer.certificatePem },
      key: { kid, privateKey: createPrivateKey(pair.privateKeyPem) },
    };
  }

  /** From now on devices are to seal to a new key, and the router opens with both. */
  rollSealingKey(tenant: TenantId): void {
    const operator = this.of(tenant);
    const { sealing, key } = this.newSealingKey(operator);
    operator.sealing = sealing;
    operator.notice = this.#noticeOf(operator);
    operator.keys = this.#faults.hastyRollOver === true ? [key] : [key, ...operator.keys];
    operator.router = { ...operator.router, keys: operator.keys };
  }

  destroyOldSealingKeys(tenant: TenantId): void {
    const operator = this.of(tenant);
    operator.keys = operator.keys.slice(0, 1);
    operator.router = { ...operator.router, keys: operator.keys };
  }

  /** From now on certificates are made by a new issuing CA; those of the old one go on. */
  rollIssuingCa(tenant: TenantId): void {
    const operator = this.of(tenant);
    operator.cas = [this.#ca(tenant, operator.register, operator.cas.length + 1), ...operator.cas];
    this.#openAll();
  }

  retireOldIssuingCas(tenant: TenantId): void {
    const operator = this.of(tenant);
    operator.cas = operator.cas.slice(0, 1);
    this.#openAll();
  }

  close(): void {
    for (const { register } of this.operators.values()) register.close();
  }

  #openAll(): void {
    for (const operator of this.operators.values()) this.#openRouter(operator);
    this.#front = this.#openFront();
  }

  #operator(tenant: TenantId): Operator {
    const register = openRegister({
      path: join(this.#folder, `${tenant}.db`),
      owner: tenant,
      clock: this.clock,
    });
    const cas = [this.#ca(tenant, register, 1)];
    const { sealing, key } = this.newSealingKey({ cas });
    this.#offices.set(tenant, this.#office(tenant));
    const notice = this.#noticeOf({ tenant, cas, sealing });
    const mdm = new YearMdm(seededRandom(this.#seed, 'mdm', tenant), this.#faults.mdmDrops);
    const router: UplinkParts = {
      tenant,
      config: routerConfig.parse({
        tenant,
        sealingKeys: [{ certificate: '-', key: '-' }],
        trust: { root: '-', issuers: [{ tenant, certificate: '-' }] },
        mdm: { url: 'https://mdm.invalid/' },
      }),
      keys: [key],
      trust: this.#trustOf(tenant, cas, []),
      writeRecord: createRecordWriter(),
      sink: mdm,
      clock: this.clock,
      certificateClock: this.clock,
      random: seededRandom(this.#seed, 'router', tenant),
      counters: this.counters,
      log: silentLog,
    };
    return { tenant, register, mdm, cas, sealing, notice, keys: [key], router };
  }

  #ca(tenant: TenantId, register: Register, number: number): IssuingCa {
    const issuer = makeIssuing(this.root, tenant, {
      notBeforeMs: this.nowMs - DAY_MS,
      notAfterMs: this.nowMs + YEARS_OF_A_CA * DAY_MS,
    });
    const crlFile = join(this.#folder, `${tenant}-${number}.crl.pem`);
    const { clock } = this;
    const authority = createAuthority({
      register,
      tenant,
      clock,
      issuer: shortLived(issuer, () => clock.nowMs() + LIFE_DAYS * DAY_MS),
      crl: { file: crlFile, validityMs: LIST_DAYS * DAY_MS },
    });
    const services = createAuthority({ register, tenant, clock, issuer });
    const enrolment = createEnrolment({ authority, manufacturers: [], clock });
    authority.publishCrl('test');
    return { issuer, authority, services, enrolment, crlFile };
  }

  #office(tenant: TenantId): SigningAuthority {
    const uri = officeIssuingUri(tenant);
    return makeOfficeIssuing(this.#officeRoot, tenant, {
      ...since,
      subject: { organization: PRODUCTION_ORGANIZATION, commonName: uri },
      names: { uris: [uri] },
    });
  }

  /** The operator's word to its devices, by its newest CA. */
  #noticeOf({ tenant, cas, sealing }: Pick<Operator, 'tenant' | 'cas' | 'sealing'>): Uint8Array {
    const content = {
      tenant,
      sealing: readPem('CERTIFICATE', sealing.certificate)[0]!,
      officeRoot: this.#officeRoot.certificate.der,
      officeIssuers: [this.#offices.get(tenant)!.certificate.der],
      revokedPeople: [],
    };
    return makeNotice(cas[0]!.issuer, content, this.nowMs);
  }

  #openRouter(operator: Operator): void {
    const { tenant } = operator;
    // A water company takes in the devices of the first operator too, on which its meters hang.
    const homes = tenant === FARYS ? [this.of(ORES), operator] : [operator];
    const files = () => homes.flatMap(({ cas }) => cas.map(({ crlFile }) => crlFile));
    const lists = new Lists(files, this.#faults.routersReadEveryMs);
    const issuers = homes.flatMap(pinned);
    const trust = this.#trust(tenant, issuers, lists.read());
    lists.tell((now) => trust.replaceCrls(now));
    this.#routerLists.set(tenant, lists);
    operator.router = { ...operator.router, trust };
  }

  #openFront(): ReturnType<typeof createTlsTrust> {
    const front = createTlsTrust({
      root: this.root.certificatePem,
      issuers: [...this.operators.values()].flatMap(pinned),
      crls: this.#frontLists.read(),
      crlGraceMs: GRACE_MS,
    });
    this.#frontLists.tell((lists) => front.replaceCrls(lists));
    return front;
  }

  #trustOf(tenant: TenantId, cas: readonly IssuingCa[], crls: readonly string[]) {
    return this.#trust(tenant, pinned({ tenant, cas }), crls);
  }

  #trust(tenant: TenantId, issuers: readonly PinnedIssuer[], crls: readonly string[]) {
    const root = this.root.certificatePem;
    return createDeviceTrust({ tenant, root, issuers, crls, crlGraceMs: GRACE_MS });
  }
}

const pinned = ({ tenant, cas }: Pick<Operator, 'tenant' | 'cas'>): PinnedIssuer[] =>
  cas.map(({ issuer }) => ({ tenant, certificate: issuer.certificatePem }));

/** A CA whose certificates end long before it does: what it signs never outlives what it says of its own end. */
function shortLived(issuer: SigningAuthority, endMs: () => number): SigningAuthority {
  const certificate = Object.defineProperty({ ...issuer.certificate }, 'notAfterMs', {
    get: endMs,
    enumerable: true,
  });
  return { ...issuer, certificate };
}
