import type { Random } from '../../gateway/runtime/random.ts';
import { HesError } from '../../protocol/errors.ts';
import type { EmulatedMeterErrorCode } from './errors.ts';
import { isTelegramFault, METER_FAULTS, type MeterFault, type TelegramFault } from './faults.ts';

export interface FaultAmount {
  readonly ms?: number;
  readonly telegrams?: number;
}

/** Faults on request: what lasts for a time, and what spoils the next telegrams. */
export interface MeterFaults {
  /** Stray bytes and no telegram for so long. */
  noise(ms?: number): void;
  /** The next telegrams have wrong bytes in them. */
  garble(telegrams?: number): void;
  /** The next telegrams end in the middle. */
  cut(telegrams?: number): void;
  /** The next telegrams have a wrong CRC. */
  wrongCrc(telegrams?: number): void;
  wrongSpeed(ms?: number): void;
  silence(ms?: number): void;
  /** Links vanish and listeners close; after so long they are there again. */
  unplug(ms?: number): void;
  /** The customer port is closed, for ever unless told. */
  close(ms?: number): void;
  /** From now on so large a share of all telegrams is spoilt so; 0 ends it. */
  share(fault: TelegramFault, share: number): void;
  /** Any of them, by its name. @throws ERR_EMULATED_METER_FAULT where it is not possible */
  begin(fault: MeterFault, amount?: FaultAmount): void;
  /** End a lasting fault before its time. */
  end(fault: MeterFault): void;
  /** A meter that prints no CRC cannot print a wrong one. */
  possible(fault: MeterFault): boolean;
  /** What lasts at this moment. */
  readonly standing: readonly MeterFault[];
}

export interface FaultCalls {
  readonly begun: (fault: MeterFault) => void;
  /** Its time is over; it stands until `over` is called, as what was pulled takes time to be put back. */
  readonly due: (fault: MeterFault) => void;
  readonly ended: (fault: MeterFault) => void;
}

export class FaultBox implements MeterFaults {
  readonly #calls: FaultCalls;
  readonly #hasCrc: boolean;
  readonly #shares = new Map<TelegramFault, number>();
  /** Lasting faults and the timers that end them. */
  readonly #standing = new Map<MeterFault, NodeJS.Timeout | null>();
  /** Telegrams still to be spoilt. */
  readonly #spoils = new Map<TelegramFault, number>();
  #stopped = false;

  constructor(calls: FaultCalls, hasCrc: boolean) {
    this.#calls = calls;
    this.#hasCrc = hasCrc;
  }

  possible(fault: MeterFault): boolean {
    return this.#hasCrc || fault !== 'wrong-crc';
  }

  noise(ms: number = METER_FAULTS.noise.usualMs): void {
    this.begin('noise', { ms });
  }
  garble(telegrams = 1): void {
    this.begin('noise', { telegrams });
  }
  cut(telegrams = 1): void {
    this.begin('cut', { telegrams });
  }
  wrongCrc(telegrams = 1): void {
    this.begin('wrong-crc', { telegrams });
  }
  wrongSpeed(ms: number = METER_FAULTS['wrong-speed'].usualMs): void {
    this.begin('wrong-speed', { ms });
  }
  silence(ms: number = METER_FAULTS.silence.usualMs): void {
    this.begin('silence', { ms });
  }
  unplug(ms: number = METER_FAULTS.unplug.usualMs): void {
    this.begin('unplug', { ms });
  }
  close(ms: number = METER_FAULTS.closed.usualMs): void {
    this.begin('closed', { ms });
  }

  share(fault: TelegramFault, share: number): void {
    this.#refuseImpossible(fault);
    if (share > 0) this.#shares.set(fault, share);
    else this.#shares.delete(fault);
  }

  begin(fault: MeterFault, { ms, telegrams }: FaultAmount = {}): void {
    this.#refuseImpossible(fault);
    const { usualMs } = METER_FAULTS[fault];
    if (isTelegramFault(fault) && (telegrams !== undefined || usualMs === null))
      this.#spoils.set(fault, (this.#spoils.get(fault) ?? 0) + (telegrams ?? 1));
    else this.#last(fault, ms ?? usualMs ?? Number.POSITIVE_INFINITY);
  }

  end(fault: MeterFault): void {
    const timer = this.#standing.get(fault);
    if (timer === undefined) return;
    if (timer !== null) clearTimeout(timer);
    this.#calls.due(fault);
  }

  /** It stands no more. */
  over(fault: MeterFault): void {
    if (this.#standing.delete(fault)) this.#calls.ended(fault);
  }

  /** It is not over yet: its end is due again after so long. */
  prolong(fault: MeterFault, ms: number): void {
    if (!this.#stopped) this.#standing.set(fault, this.#endsAfter(fault, ms));
  }

  has(fault: MeterFault): boolean {
    return this.#standing.has(fault);
  }

  get standing(): readonly MeterFault[] {
    return [...this.#standing.keys()];
  }

  /** What happens to the telegram that is about to be sent. */
  nextSpoil(random: Random): TelegramFault | null {
    for (const [fault, left] of this.#spoils) {
      if (left > 1) this.#spoils.set(fault, left - 1);
      else this.#spoils.delete(fault);
      return fault;
    }
    for (const [fault, share] of this.#shares) if (random() < share) return fault;
    return null;
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#standing.values()) if (timer !== null) clearTimeout(timer);
    this.#standing.clear();
  }

  #last(fault: MeterFault, ms: number): void {
    if (this.#stopped) return;
    const before = this.#standing.get(fault);
    if (before !== undefined && before !== null) clearTimeout(before);
    this.#standing.set(fault, this.#endsAfter(fault, ms));
    if (before === undefined) this.#calls.begun(fault);
  }

  #refuseImpossible(fault: MeterFault): void {
    if (!this.possible(fault))
      throw new HesError(
        'ERR_EMULATED_METER_FAULT' satisfies EmulatedMeterErrorCode,
        'this dialect prints no CRC, so none can be wrong; noise and cut are possible',
      );
  }

  #endsAfter(fault: MeterFault, ms: number): NodeJS.Timeout | null {
    return Number.isFinite(ms) ? setTimeout(() => this.end(fault), ms) : null;
  }
}
