import type { TenantId } from '../../protocol/identity.ts';
import type { CaEvent } from '../ca/audit.ts';
import { type OpenedPki, type TenantAuthorities, tenantAuthorities } from '../ca/open.ts';
import { pkiError } from '../errors.ts';
import { readTextIfThere } from '../files/files.ts';
import { publishNotice } from '../notice/file.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { derOf } from '../x509/pem.ts';
import { type MakeOptions, makeNewKeys } from './make.ts';
import { type RolloverPlan, readPlan, writePlan } from './plan.ts';
import { settled, withPlan } from './settle.ts';

/**
 * The roll-over of a tenant's sealing key or issuing CA, while its fleet goes on sending (docs/adr/0183, 0184): both are
 * in force, then the new one is used, then the old one is destroyed. `open` opens the PKI, which goes on with whatever
 * was cut off as far as files go; the rest is gone on with here.
 */
export interface RolloverContext {
  readonly open: () => OpenedPki;
  readonly tenant: TenantId;
  readonly clock: { nowMs(): number };
  /** For the audit. */
  readonly by: string;
}

const DAY_MS = 86_400_000;
/**
 * What a router in production still takes (`admission.ageDaysMax`): a reading may have been sealed that long ago, and
 * whoever destroys its key destroys it.
 */
export const OVERLAP_DAYS_MIN = 70;
/** The longest that fleets are away, and more; the router's counters say when nobody uses the old key any more. */
export const OVERLAP_DAYS_DEFAULT = 100;
/** By then the files have been taken to the machines of front, router and desk, and are in force there. */
export const LEAD_HOURS_DEFAULT = 24;

export type StartOptions = Omit<MakeOptions, 'tenant' | 'nowMs'> & {
  readonly leadMs: number;
  readonly overlapMs: number;
};

/** @throws ERR_ROLLOVER_EARLY where the overlap is shorter than production allows */
export function checkOverlap({ development }: { readonly development: boolean }, overlapMs: number): void {
  if (!development && overlapMs < OVERLAP_DAYS_MIN * DAY_MS)
    throw pkiError(
      'ERR_ROLLOVER_EARLY',
      `readings of ${OVERLAP_DAYS_MIN} days ago may still come: the old key stays at least so long`,
    );
}

/**
 * Make the new keys and put them where they are trusted and opened with; nothing uses them yet.
 * @throws ERR_ROLLOVER_UNDER_WAY, ERR_ROLLOVER_EARLY, ERR_PKI_*, ERR_CA_*
 */
export function startRollover(context: RolloverContext, options: StartOptions): RolloverPlan {
  const { tenant, clock, by } = context;
  const { kind, leadMs, overlapMs } = options;
  recoverRollover(context);
  const pki = context.open();
  checkOverlap(pki, overlapMs);
  const { layout } = pki;
  const nowMs = clock.nowMs();
  withPlan(layout, tenant, () => {
    checkNone(readPlan(layout, tenant));
    const keys = makeNewKeys(pki, { ...options, tenant, nowMs });
    writePlan(layout, {
      version: 1,
      tenant,
      kind,
      phase: 'placing',
      by,
      startedAtMs: nowMs,
      switchAtMs: nowMs + leadMs,
      overlapMs,
      finishAtMs: null,
      ...keys,
    });
    settled(layout, tenant);
  });
  return underWay(recoverRollover(context), tenant);
}

export function checkNone(plan: RolloverPlan | undefined): void {
  if (plan === undefined) return;
  const { kind, phase } = plan;
  throw pkiError('ERR_ROLLOVER_UNDER_WAY', `a roll-over (${kind}) is ${phase}: finish it first`);
}

/**
 * From here on the new one is used: devices are told, and certificates are issued by the new CA.
 * @param options.early before the date, for whoever knows that it is in force everywhere
 * @throws ERR_ROLLOVER_NONE, ERR_ROLLOVER_EARLY, ERR_PKI_*, ERR_CA_*
 */
export function switchRollover(
  context: RolloverContext,
  options: { readonly early?: boolean } = {},
): RolloverPlan {
  const { tenant, clock } = context;
  const plan = underWay(recoverRollover(context), tenant);
  if (plan.phase !== 'placed') return plan;
  const nowMs = clock.nowMs();
  if (nowMs < plan.switchAtMs && options.early !== true)
    throw early('front, router and desk may not know the new one yet', plan.switchAtMs);
  const { layout } = context.open();
  withPlan(layout, tenant, () => {
    if (readPlan(layout, tenant)?.phase !== 'placed') return;
    writePlan(layout, { ...plan, phase: 'switching', finishAtMs: nowMs + plan.overlapMs });
    settled(layout, tenant);
  });
  return underWay(recoverRollover(context), tenant);
}

/**
 * Destroy the old one.
 * @param options.used how many use it whom the register does not know
 * @param options.evenIfUsed those who use it are refused from then on
 * @throws ERR_ROLLOVER_NONE, ERR_ROLLOVER_EARLY, ERR_ROLLOVER_USED, ERR_PKI_*, ERR_CA_*
 */
export function finishRollover(
  context: RolloverContext,
  options: { readonly evenIfUsed?: boolean; readonly used?: (plan: RolloverPlan) => number } = {},
): RolloverPlan {
  const { tenant, clock } = context;
  const plan = underWay(recoverRollover(context), tenant);
  const { finishAtMs } = plan;
  if (plan.phase !== 'switched' || finishAtMs === null)
    throw early('the new one is not in use yet', plan.switchAtMs);
  if (clock.nowMs() < finishAtMs) throw early('readings may still come for the old one', finishAtMs);
  const used = usedStill(context, plan) + (options.used?.(plan) ?? 0);
  if (used > 0 && options.evenIfUsed !== true)
    throw pkiError(
      'ERR_ROLLOVER_USED',
      `${used} certificates of the old CA are in use: renew them, or let them be refused with --even-if-used`,
    );
  const { layout } = context.open();
  withPlan(layout, tenant, () => {
    if (readPlan(layout, tenant)?.phase === 'switched') writePlan(layout, { ...plan, phase: 'retiring' });
  });
  recoverRollover(context);
  return plan;
}

const early = (why: string, atMs: number) =>
  pkiError('ERR_ROLLOVER_EARLY', `${why}: from ${new Date(atMs).toISOString()} on`);

const underWay = (plan: RolloverPlan | undefined, tenant: TenantId): RolloverPlan => {
  if (plan !== undefined) return plan;
  throw pkiError('ERR_ROLLOVER_NONE', `no roll-over of ${tenant} is under way: start one`);
};

/** Certificates in use that the old CA issued, as far as the register knows; a thousand stands for more. */
export function usedStill(context: RolloverContext, { ca, kid }: RolloverPlan): number {
  if (ca === null) return 0;
  return withTenant(context, ({ register }) => {
    const filter = { issuer: ca.old, state: 'valid', endAfterMs: context.clock.nowMs() } as const;
    const records = register.certificates.list({ filter, limit: USED_COUNTED_MAX });
    return records.filter(({ profile }) => profile !== 'sealing' || kid === null).length;
  });
}
const USED_COUNTED_MAX = 1_000;

/**
 * What is due by the clock, for a service that looks now and then: the switch at its date, and the end at its own where
 * nobody uses the old one any more.
 * @returns what stands now, and whether it only waits for those who use the old one
 */
export function tendRollover(context: RolloverContext): {
  readonly plan: RolloverPlan | undefined;
  readonly used: number;
} {
  const { clock } = context;
  let plan = recoverRollover(context);
  if (plan?.phase === 'placed' && clock.nowMs() >= plan.switchAtMs) plan = switchRollover(context);
  if (plan?.phase !== 'switched' || clock.nowMs() < (plan.finishAtMs ?? 0)) return { plan, used: 0 };
  const used = usedStill(context, plan);
  if (used > 0) return { plan, used };
  finishRollover(context);
  return { plan: undefined, used: 0 };
}

/**
 * Go on with what was cut off: the files as the PKI is opened, then what goes into the register, the notice and the
 * lists. Each part may be made twice.
 * @returns the plan as it stands; undefined where there is none
 */
export function recoverRollover(context: RolloverContext): RolloverPlan | undefined {
  const { tenant, by } = context;
  const pki = context.open();
  const plan = readPlan(pki.layout, tenant);
  if (plan === undefined) return undefined;
  const step = (event: CaEvent, first: (authorities: TenantAuthorities) => void = () => undefined): void =>
    within(pki, context, (authorities) => {
      first(authorities);
      note(authorities, plan, event, context);
      publishNotice(pki, tenant, authorities, { nowMs: context.clock.nowMs(), by });
    });
  if (plan.phase === 'placed')
    step('rollover-started', (authorities) => adoptSealing(pki, plan, authorities, by));
  else if (plan.phase === 'switched') step('rollover-switched');
  else if (plan.phase === 'retiring') {
    step('rollover-finished', (authorities) => revokeSealing(pki, plan, authorities, by));
    const { layout } = pki;
    withPlan(layout, tenant, () => {
      if (readPlan(layout, tenant)?.phase === 'retiring') writePlan(layout, { ...plan, phase: 'destroying' });
      settled(layout, tenant);
    });
    // The office CA that ended is in no notice any more.
    const after = context.open();
    within(after, context, (authorities) =>
      publishNotice(after, tenant, authorities, { nowMs: context.clock.nowMs(), by }),
    );
    return undefined;
  }
  return plan;
}

function adoptSealing(
  pki: OpenedPki,
  { tenant, kid }: RolloverPlan,
  { field }: TenantAuthorities,
  by: string,
): void {
  if (kid === null) return;
  const text = readTextIfThere(pki.layout.sealing(tenant, kid.new).certificate);
  if (text !== undefined) field.adopt(derOf('CERTIFICATE', text), by);
}

function revokeSealing(
  pki: OpenedPki,
  { tenant, kid }: RolloverPlan,
  { field }: TenantAuthorities,
  by: string,
): void {
  if (kid === null) return;
  const text = readTextIfThere(pki.layout.sealing(tenant, kid.old).certificate);
  if (text === undefined) return;
  const certificate = parseCertificate(derOf('CERTIFICATE', text));
  // Past the end of its CA nobody asks for it any more.
  if (!field.keyIds.has(certificate.authorityKeyId ?? '')) return;
  field.adopt(certificate.der, by);
  field.revoke(certificate.serial, { reason: 'superseded', by });
}

/** Rows of the audit that are looked through for one that is there already: of a step that was cut off right after it. */
const AUDIT_LOOKED_AT_MAX = 1_000;

/** A row of the audit, once for each step. */
function note(
  { register }: TenantAuthorities,
  { kind, kid, ca, startedAtMs }: RolloverPlan,
  event: CaEvent,
  { clock, by }: RolloverContext,
): void {
  const subject = `${kind} ${(ca ?? kid)?.new ?? ''}`;
  register.transaction(() => {
    const { n } = register.audit.head();
    const rows = register.audit.rows(Math.max(0, n - AUDIT_LOOKED_AT_MAX), AUDIT_LOOKED_AT_MAX);
    if (rows.some((row) => row.event === event && row.subject === subject && row.atMs >= startedAtMs)) return;
    register.audit.append({ atMs: clock.nowMs(), event, by, subject });
  });
}

const withTenant = <Result>(
  context: RolloverContext,
  work: (authorities: TenantAuthorities) => Result,
): Result => within(context.open(), context, work);

function within<Result>(
  pki: OpenedPki,
  { tenant, clock }: RolloverContext,
  work: (authorities: TenantAuthorities) => Result,
): Result {
  const authorities = tenantAuthorities(pki, tenant, clock);
  try {
    return work(authorities);
  } finally {
    authorities.register.close();
  }
}
