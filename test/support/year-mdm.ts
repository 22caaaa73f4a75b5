import type { Delivery, MdmRecord, MdmSink } from '../../gateway/router/mdm/sink.ts';
import type { Random } from '../../gateway/runtime/random.ts';
import type { Had } from './year-ledger.ts';

/** How often it is busy, and how often its word is lost on the way: then it has the record and nobody knows. */
const BUSY = 0.01;
const UNHEARD = 0.005;

interface Body {
  readonly Header: { readonly Day: string };
  readonly Payload: {
    readonly MeterReadings: {
      readonly MeterReading: readonly { readonly Readings: readonly { readonly value: string }[] }[];
    };
  };
}

/** An operator's MDM, which keeps of each record what its meter showed. */
export class YearMdm implements MdmSink {
  readonly had = new Map<string, Had>();
  /** Whether it takes this one and forgets it: a fault that the judge has to find. */
  readonly #drops: (key: string) => boolean;
  readonly #random: Random;

  constructor(random: Random, drops: (key: string) => boolean = () => false) {
    this.#random = random;
    this.#drops = drops;
  }

  deliver({ key, body }: MdmRecord): Promise<Delivery> {
    const draw = this.#random();
    if (draw < BUSY) return Promise.resolve(LATER);
    const known = this.had.has(key);
    if (!known && !this.#drops(key)) this.had.set(key, hadOf(body));
    if (draw < BUSY + UNHEARD) return Promise.resolve(LATER);
    return Promise.resolve({ outcome: known ? 'duplicate' : 'accepted' });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const LATER = { outcome: 'later', why: 'away', atLeastSeconds: 0 } as const;

function hadOf(body: Buffer): Had {
  const { Header, Payload } = JSON.parse(body.toString()) as Body;
  return { day: Header.Day, value: Payload.MeterReadings.MeterReading[0]!.Readings[0]!.value };
}
