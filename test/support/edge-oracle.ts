import { type LocalDay, QUARTER_SECONDS } from '../../gateway/edge/days/calendar.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { type FoundIndex, type FoundMeter, foundIndex } from './edge-records.ts';
import type { ShownRegister, Subject } from './edge-subjects.ts';
import type { AcceptedRecord } from './records.ts';

/**
 * Decides from what was sent, and when, what must be at the MDMs after a run: which quarter-hours must be there,
 * which cannot be, and which registers may have closed a day (docs/adr/0111).
 */

/** A telegram, or a reading of a Modbus meter, that was sent whole. */
export interface Sent {
  readonly seconds: number;
  /** The edge had it and was not killed while it may still have been writing it down. */
  readonly certain: boolean;
}

/** What was to be received of one device, oldest first. */
export interface Account {
  readonly subject: Subject;
  readonly device: DeviceId;
  readonly sent: readonly Sent[];
}

/** What is wrong, each list by name. All of them empty is what the run must come to. */
export interface EdgeJudgement {
  readonly lost: readonly string[];
  readonly twice: readonly string[];
  readonly misrouted: readonly string[];
  readonly invented: readonly string[];
  /** Closed with registers that its meter did not show then, or with those of a moment that was none to close with. */
  readonly closedWrong: readonly string[];
  /** A quarter-hour is null whose samples were clearly to be had. */
  readonly missing: readonly string[];
  /** A quarter-hour has a value of which no sample was to be had. */
  readonly filled: readonly string[];
  /** A quarter-hour has a value other than the meter's. */
  readonly altered: readonly string[];
  /** A gap without its flag, a flag without a gap, a register said to have fallen or jumped, a late day not said to be. */
  readonly flagged: readonly string[];
}

export const BLAMELESS: EdgeJudgement = {
  lost: [],
  twice: [],
  misrouted: [],
  invented: [],
  closedWrong: [],
  missing: [],
  filled: [],
  altered: [],
  flagged: [],
};

/** What was counted, so that a run in which nothing happened is not taken for one that went well. */
export interface EdgeTally {
  quarters: number;
  certain: number;
  gaps: number;
  undecided: number;
  late: number;
}

/** A sample stands for a boundary that is this close; nearer to an outage's edge than this, both are right. */
export const MARGIN_SECONDS = 60;

const QUALITY_GAP = '1.5.259';
const QUALITY_LATE = '1.10.0';
const QUALITIES_NEVER = ['1.5.256', '1.5.258'];

export function judgeEdges(
  accounts: readonly Account[],
  days: readonly LocalDay[],
  accepted: ReadonlyMap<TenantId, readonly AcceptedRecord[]>,
): { readonly judgement: EdgeJudgement; readonly tally: EdgeTally } {
  const tally: EdgeTally = { quarters: 0, certain: 0, gaps: 0, undecided: 0, late: 0 };
  const faults = Object.fromEntries(Object.keys(BLAMELESS).map((name) => [name, [] as string[]])) as Record<
    keyof EdgeJudgement,
    string[]
  >;
  const seen = new Map<string, number>();
  const dayOf = new Map(days.map((day) => [day.name, day]));
  for (const [tenant, records] of accepted)
    for (const record of records) {
      const found = foundIndex(record);
      const name = `${found.device}/${found.owner}/${found.day}`;
      seen.set(name, (seen.get(name) ?? 0) + 1);
      if (tenant !== found.owner || tenant !== record.tenant) faults.misrouted.push(`${name} at ${tenant}`);
      const account = accounts.find(({ device }) => device === found.device);
      const day = dayOf.get(found.day);
      if (account === undefined || day === undefined || !ownersOf(account.subject).includes(found.owner))
        faults.invented.push(name);
      else new IndexJudge(account, day, found, name, faults, tally).judge();
    }
  for (const { subject, device } of accounts)
    for (const owner of ownersOf(subject))
      for (const day of days) {
        const name = `${device}/${owner}/${day.name}`;
        const times = seen.get(name) ?? 0;
        if (times === 0) faults.lost.push(name);
        if (times > 1) faults.twice.push(name);
      }
  return { judgement: faults, tally };
}

export const ownersOf = ({ home, guests }: Subject): readonly TenantId[] => [home, ...guests];

/** One index, held against its account. */
class IndexJudge {
  readonly #account: Account;
  readonly #day: LocalDay;
  readonly #found: FoundIndex;
  readonly #name: string;
  readonly #faults: Record<keyof EdgeJudgement, string[]>;
  readonly #tally: EdgeTally;

  constructor(
    account: Account,
    day: LocalDay,
    found: FoundIndex,
    name: string,
    faults: Record<keyof EdgeJudgement, string[]>,
    tally: EdgeTally,
  ) {
    this.#account = account;
    this.#day = day;
    this.#found = found;
    this.#name = name;
    this.#faults = faults;
    this.#tally = tally;
  }

  judge(): void {
    const { capturedSeconds, owner, meters } = this.#found;
    const closing = closings(this.#account.sent, this.#day.end);
    if (!closing.includes(capturedSeconds))
      this.#faults.closedWrong.push(`${this.#name} at ${iso(capturedSeconds)}, not ${closing.map(iso)}`);
    const shown = this.#shown(capturedSeconds).filter((register) => register.owner === owner);
    if (capturedSeconds > this.#day.end + MARGIN_SECONDS) this.#tally.late += 1;
    for (const [serial, registers] of Map.groupBy(shown, (register) => register.serial)) {
      const meter = meters.find((candidate) => candidate.serial === serial);
      if (meter === undefined) this.#faults.closedWrong.push(`${this.#name} without one of its meters`);
      else this.#meter(meter, registers);
    }
    if (meters.length > new Set(shown.map(({ serial }) => serial)).size)
      this.#faults.invented.push(`${this.#name}: a meter that is not there`);
  }

  #meter(meter: FoundMeter, shown: readonly ShownRegister[]): void {
    let gaps = 0;
    for (const register of shown) {
      const found = meter.registers.get(register.obis);
      const at = register.captured ?? this.#found.capturedSeconds;
      const what = `${this.#name} ${register.obis}`;
      if (found === undefined || found.value !== register.value || found.seconds !== at)
        this.#faults.closedWrong.push(
          `${what}: ${found?.value} at ${iso(found?.seconds ?? 0)}, not ${register.value} at ${iso(at)}`,
        );
      this.#registerFlags(what, found?.qualities ?? []);
      gaps += this.#quarters(what, register, meter.profiles.get(register.obis));
    }
    if (meter.qualities.includes(QUALITY_GAP) !== gaps > 0)
      this.#faults.flagged.push(`${this.#name}: ${gaps} gaps, and the flag says otherwise`);
  }

  #registerFlags(what: string, qualities: readonly string[]): void {
    const late = this.#found.capturedSeconds > this.#day.end + MARGIN_SECONDS;
    if (qualities.includes(QUALITY_LATE) !== late) this.#faults.flagged.push(`${what}: late is ${late}`);
    for (const never of QUALITIES_NEVER)
      if (qualities.includes(never)) this.#faults.flagged.push(`${what}: ${never}`);
  }

  /** Each period of the profile, by its end; the number of those that are null. */
  #quarters(
    what: string,
    register: ShownRegister,
    profile: FoundMeter['profiles'] extends ReadonlyMap<string, infer P> ? P | undefined : never,
  ): number {
    const { start, end } = this.#day;
    const periodSeconds = this.#period(what, register, profile);
    let gaps = 0;
    for (let from = start; from < end; from += periodSeconds) {
      const until = from + periodSeconds;
      const value = profile?.get(until) ?? null;
      const [before, after] = [this.#boundary(register, from), this.#boundary(register, until)];
      const isCertain = before.certain && after.certain;
      const right = after.values.flatMap((high) => before.values.map((low) => high - low));
      const where = `${what} ${iso(until)}`;
      this.#tally.quarters += 1;
      if (value === null) gaps += 1;
      if (isCertain) this.#tally.certain += 1;
      else if (right.length === 0) this.#tally.gaps += 1;
      else this.#tally.undecided += 1;
      if (value === null && isCertain) this.#faults.missing.push(where);
      if (value !== null && right.length === 0) this.#faults.filled.push(`${where}: ${value}`);
      else if (value !== null && !right.includes(value))
        this.#faults.altered.push(`${where}: ${value}, not ${right}`);
    }
    return gaps;
  }

  /**
   * Quarter-hours; of an M-Bus meter that was seen so rarely that its captures also fit a coarser grid, the profile
   * may be of that one.
   */
  #period(
    what: string,
    register: ShownRegister,
    profile: ReadonlyMap<number, number | null> | undefined,
  ): number {
    const ends = [...(profile?.keys() ?? [])];
    const found = ends.length < 2 ? QUARTER_SECONDS : ends[1]! - ends[0]!;
    if (found === QUARTER_SECONDS || register.captured === null) return QUARTER_SECONDS;
    const { start, end } = this.#day;
    for (let at = start; at <= end; at += QUARTER_SECONDS)
      if ((at - start) % found !== 0 && this.#boundary(register, at).certain)
        this.#faults.missing.push(`${what}: a period of ${found} s`);
    return found;
  }

  /** What a register's sample of a boundary may be, and whether there must be one. */
  #boundary({ obis, serial, captured }: ShownRegister, at: number): Boundary {
    const { sent } = this.#account;
    const valueAt = (seconds: number): number =>
      this.#shown(seconds).find((one) => one.obis === obis && one.serial === serial)!.value;
    if (captured !== null) {
      // It is shown from its capture to the next one.
      const showing = between(sent, at, at + QUARTER_SECONDS - 1);
      return {
        certain: showing.some(({ certain }) => certain),
        values: showing.length === 0 ? [] : [valueAt(at)],
      };
    }
    const after = untilCertain(between(sent, at, at + MARGIN_SECONDS));
    const certain = after.at(-1)?.certain === true;
    const before = certain ? [] : between(sent, at - MARGIN_SECONDS, at - 1);
    return { certain, values: [...after, ...before].map(({ seconds }) => valueAt(seconds)) };
  }

  #shown(seconds: number): readonly ShownRegister[] {
    return this.#account.subject.shownAt(seconds);
  }
}

interface Boundary {
  readonly certain: boolean;
  readonly values: readonly number[];
}

/** The moments with whose registers a day may have been closed: the first after its end; or the last before it. */
function closings(sent: readonly Sent[], end: number): readonly number[] {
  const after = untilCertain(sent.filter(({ seconds }) => seconds >= end));
  const onTime = after.at(-1)?.certain === true && after.at(-1)!.seconds <= end + MARGIN_SECONDS;
  const before = onTime ? [] : between(sent, end - MARGIN_SECONDS, end - 1);
  return [...before, ...after].map(({ seconds }) => seconds);
}

function between(sent: readonly Sent[], from: number, until: number): readonly Sent[] {
  return sent.filter(({ seconds }) => seconds >= from && seconds <= until);
}

/** Those that may have been the first: up to the one that certainly was received. */
function untilCertain(sent: readonly Sent[]): readonly Sent[] {
  const first = sent.findIndex(({ certain }) => certain);
  return first < 0 ? sent : sent.slice(0, first + 1);
}

const iso = (seconds: number): string => new Date(seconds * 1_000).toISOString();
