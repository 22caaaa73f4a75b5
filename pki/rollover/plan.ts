import { isTenantId, type TenantId } from '../../protocol/identity.ts';
import { readTextIfThere, replaceFile, withFile } from '../files/files.ts';
import type { PkiLayout } from '../files/layout.ts';

/**
 * How far a roll-over of one tenant has come (docs/adr/0183, 0184). The plan is on the disk before each step, and every
 * step may be made twice: whenever the power is cut, whoever opens the PKI next goes on where it stood.
 */

/** Of the sealing key; of the issuing CA of the field, with the sealing key below it; of that of the office. */
export const ROLLOVER_KINDS = ['sealing', 'field', 'office'] as const;
export type RolloverKind = (typeof ROLLOVER_KINDS)[number];

/**
 * `placing`: the new key is made, and its files are put in their places. `placed`: both are in force where somebody
 * checks or opens, and the old one is used. `switching`, `switched`: the new one is used. `retiring`, `destroying`: the
 * old one ends.
 */
export const ROLLOVER_PHASES = [
  'placing',
  'placed',
  'switching',
  'switched',
  'retiring',
  'destroying',
] as const;
export type RolloverPhase = (typeof ROLLOVER_PHASES)[number];

interface OldAndNew {
  readonly old: string;
  readonly new: string;
}

export interface RolloverPlan {
  readonly version: 1;
  readonly tenant: TenantId;
  readonly kind: RolloverKind;
  readonly phase: RolloverPhase;
  readonly by: string;
  readonly startedAtMs: number;
  /** From when on the new one may be used: by then everybody who checks or opens has it. */
  readonly switchAtMs: number;
  /** How long both are in force after that. */
  readonly overlapMs: number;
  /** From when on the old one may be destroyed; null before the switch. */
  readonly finishAtMs: number | null;
  /** Sealing keys by name; null for the office. */
  readonly kid: OldAndNew | null;
  /** CAs by key identifier; null for the sealing key alone. */
  readonly ca: OldAndNew | null;
  /** While `placing`: what goes where, in this order, by path within the PKI. Private keys are as they will lie there. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** While `placing`: the first list of the new CA, PEM. */
  readonly crl: string | null;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isPair = (value: unknown): boolean =>
  value === null || (isRecord(value) && typeof value['old'] === 'string' && typeof value['new'] === 'string');

/** @throws a plain Error where it is damaged */
function parsePlan(text: string): RolloverPlan {
  const value: unknown = JSON.parse(text);
  if (!isRecord(value) || value['version'] !== 1) throw new Error('another version');
  const { tenant, kind, phase, by, startedAtMs, switchAtMs, overlapMs, finishAtMs, kid, ca, files, crl } =
    value;
  const numbers = [startedAtMs, switchAtMs, overlapMs, finishAtMs ?? 0];
  const isFile = (file: unknown): boolean =>
    isRecord(file) && typeof file['path'] === 'string' && typeof file['text'] === 'string';
  if (
    !isTenantId(tenant) ||
    !(ROLLOVER_KINDS as readonly unknown[]).includes(kind) ||
    !(ROLLOVER_PHASES as readonly unknown[]).includes(phase) ||
    typeof by !== 'string' ||
    !numbers.every(Number.isFinite) ||
    !isPair(kid) ||
    !isPair(ca) ||
    !Array.isArray(files) ||
    !files.every(isFile) ||
    (crl !== null && typeof crl !== 'string')
  )
    throw new Error('no plan');
  return value as unknown as RolloverPlan;
}

/** @throws ERR_PKI_DAMAGED, ERR_PKI_RIGHTS */
export function readPlan(layout: PkiLayout, tenant: TenantId): RolloverPlan | undefined {
  const file = layout.rollover(tenant);
  const text = readTextIfThere(file);
  return text === undefined ? undefined : withFile(file, () => parsePlan(text));
}

/** @throws ERR_PKI_DAMAGED, ERR_PKI_RIGHTS */
export function writePlan(layout: PkiLayout, plan: RolloverPlan): RolloverPlan {
  replaceFile(layout.rollover(plan.tenant), `${JSON.stringify(plan)}\n`);
  return plan;
}
