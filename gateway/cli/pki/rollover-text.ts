import type { PkiLayout } from '../../../pki/files/layout.ts';
import type { RolloverKind, RolloverPlan } from '../../../pki/rollover/plan.ts';
import { columns } from './print.ts';

/** What `hes pki rollover` tells whoever types it: above all which file goes where, and where it must not go. */

interface Carried {
  readonly files: (layout: PkiLayout, plan: RolloverPlan) => readonly string[];
  readonly to: string;
}

// A front or a desk that has a sealing key could open readings: that it has none is what "blind" rests on.
const SEALING_KEYS: Carried = {
  files: (layout, { tenant }) => [layout.sealingDirectory(tenant)],
  to: 'to the routers, and nowhere else: the key before its certificate',
};
const FIELD_CAS: Carried = {
  files: (layout, { tenant }) => [layout.issuing(tenant).certificate, layout.crl(tenant)],
  to: 'to the front, and to every router and desk that pins it: certificates first',
};
const OFFICE_CAS: Carried = {
  files: ({ office }, { tenant }) => [office.issuing(tenant).certificate, office.crl(tenant)],
  to: 'to the desk: certificates first',
};
const FIELD_LIST: Carried = {
  files: (layout, { tenant }) => [layout.crl(tenant)],
  to: 'to front, router and desk',
};
const NOTICE: Carried = {
  files: (layout, { tenant }) => [layout.notice(tenant)],
  to: 'to router and desk: devices are told by it',
};

/** What is other than before, after each step (docs/operations.md has it as a table). */
const CARRIED: Readonly<
  Record<RolloverKind, Readonly<Record<'placed' | 'switched' | 'finished', readonly Carried[]>>>
> = {
  sealing: { placed: [SEALING_KEYS], switched: [NOTICE], finished: [FIELD_LIST, NOTICE] },
  field: {
    placed: [FIELD_CAS, SEALING_KEYS],
    switched: [FIELD_CAS, NOTICE],
    finished: [FIELD_CAS, NOTICE],
  },
  office: {
    placed: [OFFICE_CAS, NOTICE],
    switched: [OFFICE_CAS, NOTICE],
    finished: [OFFICE_CAS, NOTICE],
  },
};

function carryText(plan: RolloverPlan, step: 'placed' | 'switched' | 'finished', layout: PkiLayout): string {
  const rows = CARRIED[plan.kind][step].flatMap(({ files, to }) =>
    files(layout, plan).map((file) => [`  ${file}`, to]),
  );
  return `Take now:\n${columns(rows)}\n`;
}

const isoOf = (ms: number): string => new Date(ms).toISOString();

export const namesOf = ({ kid, ca }: RolloverPlan): string =>
  [kid, ca].flatMap((names) => (names === null ? [] : `${names.old} → ${names.new}`)).join('  ');

/** Where a roll-over stands, and what to do next. @param layout of production: on one machine nothing is carried */
export function planText(plan: RolloverPlan, layout?: PkiLayout): string {
  const { tenant, phase, finishAtMs, switchAtMs } = plan;
  if (phase === 'placed')
    return `${layout === undefined ? '' : carryText(plan, 'placed', layout)}From ${isoOf(switchAtMs)} on: hes pki rollover switch --tenant ${tenant} (hes ca does it by itself).`;
  return `Devices are told to use the new one with the next message or command: ${namesOf(plan)}
${layout === undefined ? '' : carryText(plan, 'switched', layout)}The old one stays until ${isoOf(finishAtMs ?? 0)}; then: hes pki rollover finish --tenant ${tenant} (hes ca does it by itself).
opened.<key> of the router counts who uses which.`;
}

/** What `switch --dry-run` says. */
export function switchWouldText(
  plan: RolloverPlan,
  { nowMs, now }: { readonly nowMs: number; readonly now: boolean },
): string {
  if (plan.phase !== 'placed' && plan.phase !== 'placing')
    return `The new one is in use already: ${namesOf(plan)}. Nothing was changed.`;
  if (nowMs < plan.switchAtMs && !now)
    return `It would be refused until ${isoOf(plan.switchAtMs)} (--now: before its date). Nothing was changed.`;
  return `Devices would be told to use the new one: ${namesOf(plan)};
the old one could be destroyed from ${isoOf(nowMs + plan.overlapMs)} on. Nothing was changed.`;
}

/** What `finish` says once it is done. @param layout as for `planText` */
export function finishedText(plan: RolloverPlan, layout?: PkiLayout): string {
  const { tenant, kid } = plan;
  const done = `The old key of ${tenant} is destroyed: overwritten, removed, and its certificate revoked.`;
  if (layout === undefined) return done;
  const copies =
    kid === null
      ? ''
      : `\nDestroy its copies, too: shred -u ${kid.old}.key on the routers' machines, and in backups.`;
  return `${done}${copies}\n${carryText(plan, 'finished', layout).trimEnd()}`;
}
