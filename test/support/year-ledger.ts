import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { BOUND_MS } from './year-plan.ts';

/**
 * What happened in a year, kept apart from all code that decided it: what each device closed, what each MDM has, who
 * signed which message and when, and what was taken back when. And the judge that holds them against each other.
 */

/** `device/owner/number`, which is also what an MDM knows a record by. */
export type ReadingKey = string;

/** How a message ended, as whoever sent it saw it. */
export type Outcome = 'delivered' | 'duplicate' | 'later' | 'unanswered' | `refused ${string}`;

export interface Sent {
  readonly by: 'device' | 'stranger';
  readonly key: ReadingKey;
  /** Of the certificate that it is signed with. */
  readonly serial: string;
  readonly atMs: number;
  readonly outcome: Outcome;
}

export interface Had {
  /** What the register of the meter showed. */
  readonly value: string;
  readonly day: string;
}

export class Ledger {
  readonly closed = new Map<ReadingKey, string>();
  /** What a stranger made up, by its key. */
  readonly forged = new Set<ReadingKey>();
  readonly #revokedAtMs = new Map<string, number>();
  readonly #serials = new Map<DeviceId, string[]>();
  /** Devices that were taken back while they might still have something. */
  readonly takenAtOnce = new Set<DeviceId>();
  readonly #late: Sent[] = [];
  readonly #counts = new Map<string, number>();

  count(what: string, by = 1): void {
    this.#counts.set(what, this.of(what) + by);
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].toSorted());
  }

  issued(device: DeviceId, serial: string): void {
    this.#serials.set(device, [...(this.#serials.get(device) ?? []), serial]);
  }

  serialsOf(device: DeviceId): readonly string[] {
    return this.#serials.get(device) ?? [];
  }

  revoked(serials: readonly string[], atMs: number): void {
    for (const serial of serials) if (!this.#revokedAtMs.has(serial)) this.#revokedAtMs.set(serial, atMs);
  }

  /** Whether nobody may believe this certificate any more. */
  isTakenBack(serial: string, atMs: number): boolean {
    return atMs > (this.#revokedAtMs.get(serial) ?? Number.POSITIVE_INFINITY) + BOUND_MS;
  }

  isRevoked = (serial: string): boolean => this.#revokedAtMs.has(serial);

  sent(message: Sent): void {
    const { by, outcome, serial, atMs } = message;
    const isLate = this.isTakenBack(serial, atMs);
    this.count(`${by}${isLate ? ', taken back' : ''}: ${outcome}`);
    if (isLate && (outcome === 'delivered' || outcome === 'duplicate')) this.#late.push(message);
  }

  /** What a door other than a router's decided about a certificate. */
  opened(door: string, { serial, atMs, why }: { serial: string; atMs: number; why: string | null }): void {
    const isLate = this.isTakenBack(serial, atMs);
    this.count(`${door}${isLate ? ', taken back' : ''}: ${why ?? 'opened'}`);
    if (isLate && why === null)
      this.#late.push({ by: 'stranger', key: door, serial, atMs, outcome: 'delivered' });
  }

  acceptedLate(): readonly string[] {
    return this.#late.map(
      ({ by, key, atMs, serial }) =>
        `${key} of a ${by}, ${atMs - (this.#revokedAtMs.get(serial) ?? 0)} ms after its certificate was taken back`,
    );
  }
}

/** What a device still has at the end. */
export interface Kept {
  readonly device: DeviceId;
  readonly pending: readonly ReadingKey[];
  readonly parked: readonly ReadingKey[];
}

/** Each list names what is wrong. All of them empty: no reading lost, none accepted of whom it should not be. */
export interface Judgement {
  /** Closed, and neither at its MDM nor at a device that was taken back at once. */
  readonly lost: readonly ReadingKey[];
  /** A day that an MDM has under two numbers. */
  readonly twice: readonly string[];
  readonly altered: readonly ReadingKey[];
  /** At an MDM, and neither closed by a device nor made up by a stranger before he was found out. */
  readonly invented: readonly ReadingKey[];
  /** Believed after the moment of revocation and the bound. */
  readonly acceptedLate: readonly string[];
  /** Refused for good, of a device in good standing. */
  readonly wronged: readonly ReadingKey[];
}

export const INNOCENT: Judgement = {
  lost: [],
  twice: [],
  altered: [],
  invented: [],
  acceptedLate: [],
  wronged: [],
};

export function judgeYear(
  ledger: Ledger,
  mdms: ReadonlyMap<TenantId, ReadonlyMap<ReadingKey, Had>>,
  kept: readonly Kept[],
): Judgement {
  const had = new Map<ReadingKey, Had>();
  /** Days of a stream, however they are numbered. */
  const days = new Set<string>();
  const twice: string[] = [];
  const invented: ReadingKey[] = [];
  const altered: ReadingKey[] = [];
  for (const [tenant, records] of mdms)
    for (const [key, record] of records) {
      if (key.split('/')[1] !== tenant || had.has(key)) invented.push(key);
      had.set(key, record);
      const right = ledger.closed.get(key);
      const day = `${key.split('/', 2).join('/')}/${record.day}`;
      if (right !== undefined && days.has(day)) twice.push(day);
      if (right !== undefined) days.add(day);
      if (right === undefined && !ledger.forged.has(key)) invented.push(key);
      if (right !== undefined && right !== record.value) altered.push(key);
    }
  const excused = kept.filter(({ device }) => ledger.takenAtOnce.has(device));
  const atDevices = new Set(excused.flatMap(({ pending, parked }) => [...pending, ...parked]));
  return {
    lost: [...ledger.closed.keys()].filter((key) => !had.has(key) && !atDevices.has(key)),
    twice,
    altered,
    invented,
    acceptedLate: ledger.acceptedLate(),
    wronged: kept.filter(({ device }) => !ledger.takenAtOnce.has(device)).flatMap(({ parked }) => parked),
  };
}
