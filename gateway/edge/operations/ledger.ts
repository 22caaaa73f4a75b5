import { createHash } from 'node:crypto';
import type { ResultCode } from '../../../protocol/command/codes.ts';
import type { CommandId } from '../../../protocol/command/id.ts';
import type { CounterName } from '../../../protocol/command/row.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { SETTLED_KEPT_MAX, SIGNERS_MAX, UNPROVEN_KEPT_SECONDS } from './limits.ts';
import type { MeterState } from './state.ts';
import type { Action, Reads } from './step.ts';

/**
 * All that a meter must not forget: its state, the highest counters, what became of commands, and what was begun.
 * It changes only by deltas, each of which is one write; so what is on the disk is always one whole moment.
 */
export interface Ledger {
  readonly state: MeterState;
  readonly signers: readonly SignerCounters[];
  /** Who is not in the table must be above this: it is the highest of all who had to leave it. */
  readonly floor: number;
  readonly known: readonly Known[];
  readonly intent: Intent | null;
  /** The sequence of the report that the home tenant is owed, or null. */
  readonly report: number | null;
  /** Of results and reports; rising. */
  readonly lastSequence: number;
}

/** A digest of the signer's tenant and name: no names of people lie in a meter. */
export type SignerId = string & { readonly __brand: 'SignerId' };
/** Of SHA-256: nobody looks for a collision to be taken for a colleague. */
export const SIGNER_ID_BYTES = 16;

export interface SignerCounters {
  readonly signer: SignerId;
  readonly counters: Readonly<Partial<Record<CounterName, number>>>;
}

export interface CounterUse {
  readonly signer: SignerId;
  readonly name: CounterName;
  readonly counter: number;
}

/** What became of a command. */
export interface Known {
  readonly id: CommandId;
  readonly tenant: TenantId;
  readonly sequence: number;
  /** Epoch seconds. */
  readonly time: number;
  /** Null: executed. */
  readonly code: ResultCode | null;
  readonly reads: Reads | null;
  /**
   * How it stands: `open` waits for its receipt, `settled` has it. `unproven` is a refusal that no counter makes
   * final, mostly of what nobody proved to have signed, and waits; `burnt` is the same with its receipt.
   */
  readonly standing: 'open' | 'settled' | 'unproven' | 'burnt';
}

/** A change that was decided and may or may not have been done. */
export interface Intent {
  /** Null for a local event. */
  readonly known: Known | null;
  readonly counter: CounterUse | null;
  readonly action: Action;
  /** Once it is done. */
  readonly state: MeterState;
  /** Epoch seconds; what was not done by then is not done any more. */
  readonly expiry: number;
}

export interface Delta {
  readonly state: MeterState | null;
  readonly counter: CounterUse | null;
  readonly known: Known | null;
  readonly intent: Intent | null;
  /** The open intent has ended. */
  readonly closes: boolean;
  readonly settled: CommandId | null;
  /** A report is owed from now on, under this sequence. */
  readonly report: number | null;
  /** The report of this sequence was received. */
  readonly reported: number | null;
}

export const NO_DELTA: Delta = {
  state: null,
  counter: null,
  known: null,
  intent: null,
  closes: false,
  settled: null,
  report: null,
  reported: null,
};

export const newLedger = (state: MeterState): Ledger => ({
  state,
  signers: [],
  floor: 0,
  known: [],
  intent: null,
  report: null,
  lastSequence: 0,
});

export function signerIdOf(tenant: TenantId, person: string): SignerId {
  const digest = createHash('sha256').update(`${tenant}/${person}`).digest('hex');
  return digest.slice(0, 2 * SIGNER_ID_BYTES) as SignerId;
}

/** The highest counter of a signer about a thing; a command must be above it. */
export function counterOf({ signers, floor }: Ledger, signer: SignerId, name: CounterName): number {
  const known = signers.find((entry) => entry.signer === signer);
  return known === undefined ? floor : Math.max(known.counters[name] ?? 0, 0);
}

/** Whether a failure changed nothing and used up nothing, so that the same command may come again. */
export const mayComeAgain = (code: ResultCode | null): boolean =>
  code === 'busy' || code === 'storage' || code === 'channel';

export const isAnswered = (entry: Known): boolean => !mayComeAgain(entry.code);

export const waits = ({ standing }: Known): boolean => standing === 'open' || standing === 'unproven';

export function applyDelta(ledger: Ledger, delta: Delta): Ledger {
  const { state, counter, known, intent, closes, settled, report, reported } = delta;
  const counted = counter === null ? ledger : withCounter(ledger, counter);
  let entries = ledger.known;
  if (known !== null) entries = withKnown(entries, known);
  if (settled !== null)
    entries = bounded(entries.map((entry) => (entry.id === settled ? settle(entry) : entry)));
  return {
    state: settled === null ? (state ?? ledger.state) : acknowledged(state ?? ledger.state, settled),
    signers: counted.signers,
    floor: counted.floor,
    known: entries,
    intent: closes ? null : (intent ?? ledger.intent),
    // A newer one stands for what was on its way.
    report: report ?? (ledger.report === reported ? null : ledger.report),
    lastSequence: Math.max(
      ledger.lastSequence,
      known?.sequence ?? 0,
      intent?.known?.sequence ?? 0,
      report ?? 0,
    ),
  };
}

const settle = (entry: Known): Known => ({
  ...entry,
  standing: entry.standing === 'open' || entry.standing === 'settled' ? 'settled' : 'burnt',
});

/** Airplane mode begins to be silent once the operator knows of it. */
function acknowledged(state: MeterState, settled: CommandId): MeterState {
  const { airplane } = state;
  return airplane?.command === settled ? { ...state, airplane: { ...airplane, acknowledged: true } } : state;
}

function withKnown(entries: readonly Known[], known: Known): readonly Known[] {
  return bounded([...besides(entries, known), known]);
}

/** What is kept beside a new entry: an id that was burnt so long ago cannot come to life again. */
const besides = (entries: readonly Known[], known: Known): readonly Known[] =>
  entries.filter(
    ({ id, standing, time }) =>
      id !== known.id && !(standing === 'burnt' && time < known.time - UNPROVEN_KEPT_SECONDS),
  );

/** How many ids that no counter refuses are kept beside a new entry. */
export const burntBeside = ({ known: entries }: Ledger, known: Known): number =>
  besides(entries, known).filter(({ standing }) => standing === 'unproven' || standing === 'burnt').length;

/** The oldest of those that have their receipt go first; what waits for one never goes. */
function bounded(entries: readonly Known[]): readonly Known[] {
  let over = entries.filter(({ standing }) => standing === 'settled').length - SETTLED_KEPT_MAX;
  return over <= 0 ? entries : entries.filter(({ standing }) => standing !== 'settled' || over-- <= 0);
}

function withCounter(ledger: Ledger, { signer, name, counter }: CounterUse): Ledger {
  const known = ledger.signers.find((entry) => entry.signer === signer);
  const entry: SignerCounters = {
    signer,
    counters: { ...known?.counters, [name]: Math.max(counter, known?.counters[name] ?? 0) },
  };
  const others = ledger.signers.filter((other) => other.signer !== signer);
  if (others.length < SIGNERS_MAX) return { ...ledger, signers: [...others, entry] };
  // Last used first out: the order of the table is that of use.
  const [oldest, ...rest] = others;
  const highest = Math.max(...Object.values(oldest!.counters));
  return { ...ledger, signers: [...rest, entry], floor: Math.max(ledger.floor, highest) };
}
