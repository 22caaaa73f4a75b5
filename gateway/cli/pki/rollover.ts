import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openPki, readManifest } from '../../../pki/ca/open.ts';
import { pkiLayout } from '../../../pki/files/layout.ts';
import { readDeviceIdentity } from '../../../pki/identity.ts';
import { encryptKey } from '../../../pki/keys/encrypted-key.ts';
import { type RolloverKind, type RolloverPlan, readPlan } from '../../../pki/rollover/plan.ts';
import {
  checkNone,
  checkOverlap,
  finishRollover,
  LEAD_HOURS_DEFAULT,
  OVERLAP_DAYS_DEFAULT,
  type RolloverContext,
  recoverRollover,
  startRollover,
  switchRollover,
  usedStill,
} from '../../../pki/rollover/rollover.ts';
import { parseCertificate } from '../../../pki/x509/certificate.ts';
import { derOf } from '../../../pki/x509/pem.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import type { PkiFlags } from './flags.ts';
import { CLOCK, caPassphrase, pkiDirectory, tenantOf, tenantsOf } from './opened.ts';
import { columns, print, printJson } from './print.ts';
import { finishedText, namesOf, planText, switchWouldText } from './rollover-text.ts';
import { asker, secretOf } from './secrets.ts';

/** `hes pki rollover`: another sealing key, or another issuing CA, while the fleet goes on sending. */

export interface RolloverFlags extends PkiFlags {
  readonly leadHours?: number;
  readonly overlapDays?: number;
  readonly now?: boolean;
  readonly evenIfUsed?: boolean;
  readonly rootPassphraseFile?: string;
  readonly rootPassphraseFd?: number;
  readonly servicePassphraseFile?: string;
  readonly servicePassphraseFd?: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Beside `npm start` front, router and desks look every few seconds, and nothing is carried to other machines. */
const DEVELOPMENT_LEAD_MS = 8_000;
/** Every emulated device has sent by then, at a simulated day a minute, and whoever types on is not ahead of them. */
const DEVELOPMENT_OVERLAP_MS = 10 * 60_000;

async function contextOf(flags: RolloverFlags, tenant: TenantId): Promise<RolloverContext> {
  const directory = pkiDirectory(flags);
  const passphrase = await caPassphrase(flags);
  return {
    open: () => openPki({ directory, nowMs: CLOCK.nowMs(), passphrase, tenants: [tenant] }),
    tenant,
    clock: CLOCK,
    by: asker(),
  };
}

/** @throws ERR_USAGE, ERR_ROLLOVER_*, ERR_PKI_*, ERR_CA_* */
export async function rolloverStart(kind: RolloverKind, flags: RolloverFlags): Promise<void> {
  const tenant = tenantOf(flags);
  const directory = pkiDirectory(flags);
  const { development } = readManifest(directory);
  const leadMs =
    flags.leadHours === undefined
      ? development
        ? DEVELOPMENT_LEAD_MS
        : LEAD_HOURS_DEFAULT * HOUR_MS
      : flags.leadHours * HOUR_MS;
  const overlapMs =
    flags.overlapDays === undefined
      ? development
        ? DEVELOPMENT_OVERLAP_MS
        : OVERLAP_DAYS_DEFAULT * DAY_MS
      : flags.overlapDays * DAY_MS;
  if (flags.dryRun === true) {
    checkOverlap({ development }, overlapMs);
    checkNone(readPlan(pkiLayout(directory), tenant));
    const nowMs = CLOCK.nowMs();
    const dates = { switchAt: isoOf(nowMs + leadMs), finishAt: isoOf(nowMs + leadMs + overlapMs) };
    if (flags.json === true) printJson({ tenant, kind, dryRun: true, ...dates });
    else
      print(`${WHAT[kind]} of ${tenant} would be made and put beside the present one; used from ${dates.switchAt} on;
the present one destroyed from ${dates.finishAt} on. Nothing was changed.`);
    return;
  }
  const secrets = development ? undefined : await secretsOf(flags, kind);
  const context = await contextOf(flags, tenant);
  let plan = startRollover(context, {
    kind,
    leadMs,
    overlapMs,
    keep: (pem, use) => (secrets === undefined ? pem : encryptKey(pem, secrets[use])),
    ...(secrets?.root === undefined ? {} : { rootPassphrase: secrets.root }),
  });
  if (flags.json !== true) print(`${WHAT[kind]} of ${tenant} is made and lies beside the present one.`);
  if (development) {
    if (flags.json !== true) print(`Front, router and desk take it up: ${Math.ceil(leadMs / 1_000)} s.`);
    await delay(leadMs);
    plan = switchRollover(context, { early: true });
  }
  say(plan, flags);
}

const WHAT: Readonly<Record<RolloverKind, string>> = {
  sealing: 'A new sealing key',
  field: 'A new issuing CA of the field, with a sealing key,',
  office: 'A new issuing CA of the office',
};

async function secretsOf(flags: RolloverFlags, kind: RolloverKind) {
  const ca = (await caPassphrase(flags)) ?? '';
  const root =
    kind === 'sealing'
      ? undefined
      : await secretOf({
          file: flags.rootPassphraseFile,
          fd: flags.rootPassphraseFd,
          what: 'the root',
          flag: '--root-passphrase',
        });
  const { servicePassphraseFile: file, servicePassphraseFd: fd } = flags;
  const service =
    file === undefined && fd === undefined
      ? ca
      : await secretOf({ file, fd, what: 'the keys of services', flag: '--service-passphrase' });
  return { ca, service, root };
}

/** @throws ERR_ROLLOVER_*, ERR_PKI_*, ERR_CA_* */
export async function rolloverSwitch(flags: RolloverFlags): Promise<void> {
  const tenant = tenantOf(flags);
  if (flags.dryRun === true) {
    const plan = planOf(flags, tenant);
    if (plan === undefined) return say(undefined, flags);
    const now = flags.now === true;
    if (flags.json === true) printJson({ ...view(plan), dryRun: true });
    else print(switchWouldText(plan, { nowMs: CLOCK.nowMs(), now }));
    return;
  }
  say(switchRollover(await contextOf(flags, tenant), { early: flags.now === true }), flags);
}

/** @throws ERR_ROLLOVER_*, ERR_PKI_*, ERR_CA_* */
export async function rolloverFinish(flags: RolloverFlags): Promise<void> {
  const tenant = tenantOf(flags);
  const context = await contextOf(flags, tenant);
  const used = (plan: RolloverPlan): number => unregistered(flags, plan);
  if (flags.dryRun === true) {
    const plan = recoverRollover(context);
    if (plan === undefined) return say(undefined, flags);
    const still = usedStill(context, plan) + used(plan);
    if (flags.json === true) printJson({ ...view(plan), used: still, dryRun: true });
    else {
      const date =
        plan.finishAtMs === null
          ? 'It would be refused: the new one is not in use yet.'
          : `The old one of ${tenant} would be destroyed from ${isoOf(plan.finishAtMs)} on.`;
      print(`${date}\nCertificates of the old one that are in use: ${still}. Nothing was changed.`);
    }
    return;
  }
  const plan = finishRollover(context, { used, ...(flags.evenIfUsed === true ? { evenIfUsed: true } : {}) });
  if (flags.json === true) printJson({ ...view(plan), phase: 'finished' });
  else print(finishedText(plan, layoutOf(flags)));
}

/** Beside `npm start` devices are not in the register: their identities are looked at. */
function unregistered(flags: RolloverFlags, { ca, kind, tenant }: RolloverPlan): number {
  const devices = join(flags.data ?? '.hes', 'devices');
  if (ca === null || kind !== 'field' || !readManifest(pkiDirectory(flags)).development) return 0;
  if (!existsSync(devices)) return 0;
  return readdirSync(devices)
    .map((name) => join(devices, name, 'identity.json'))
    .filter((file) => existsSync(file))
    .map((file) => readDeviceIdentity(file))
    .filter(
      ({ home, tls, sign }) =>
        home === tenant &&
        [tls, sign].some(
          ({ certificate }) => parseCertificate(derOf('CERTIFICATE', certificate)).authorityKeyId === ca.old,
        ),
    ).length;
}

/** @throws ERR_PKI_* */
export function rolloverStatus(flags: RolloverFlags): void {
  const plans = tenantsOf(flags).flatMap((tenant) => planOf(flags, tenant) ?? []);
  if (flags.json === true) printJson({ rollovers: plans.map(view) });
  else if (plans.length === 0) print('No roll-over is under way.');
  else
    print(columns(plans.map((plan) => [plan.tenant, plan.kind, plan.phase, datesOf(plan), namesOf(plan)])));
}

const planOf = (flags: RolloverFlags, tenant: TenantId): RolloverPlan | undefined =>
  readPlan(pkiLayout(pkiDirectory(flags)), tenant);

const isoOf = (ms: number): string => new Date(ms).toISOString();

function datesOf({ phase, switchAtMs, finishAtMs }: RolloverPlan): string {
  if (finishAtMs !== null) return `old one until ${isoOf(finishAtMs)}`;
  return phase === 'placed' ? `used from ${isoOf(switchAtMs)} on` : '';
}

const view = ({ tenant, kind, phase, startedAtMs, switchAtMs, finishAtMs, kid, ca }: RolloverPlan) => ({
  tenant,
  kind,
  phase,
  startedAt: isoOf(startedAtMs),
  switchAt: isoOf(switchAtMs),
  finishAt: finishAtMs === null ? null : isoOf(finishAtMs),
  sealingKey: kid,
  ca,
});

function say(plan: RolloverPlan | undefined, flags: RolloverFlags): void {
  if (flags.json === true) printJson(plan === undefined ? null : view(plan));
  else print(plan === undefined ? 'No roll-over is under way.' : planText(plan, layoutOf(flags)));
}

/** Beside `npm start` everything is on one machine. */
const layoutOf = (flags: RolloverFlags) => {
  const directory = pkiDirectory(flags);
  return readManifest(directory).development ? undefined : pkiLayout(directory);
};
