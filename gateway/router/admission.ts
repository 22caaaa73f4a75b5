import type { Binding } from '../../protocol/envelope.ts';
import type { DailyIndex } from '../../protocol/reading.ts';
import type { RefusalCode } from '../../protocol/receipt.ts';
import type { RouterConfig } from './config.ts';
import { utcDayStart } from './day.ts';

const DAY_SECONDS = 86_400;

/** A Belgian day ends one or two hours before its UTC namesake. */
const DAY_END_BEFORE_UTC_SECONDS = 7_200;

type Limits = RouterConfig['admission'];

interface Rule {
  readonly code: RefusalCode;
  readonly refuses: (index: DailyIndex, binding: Binding, nowSeconds: number, limits: Limits) => boolean;
}

/**
 * Why a well-formed and signed index is refused for good, in the order in which it is asked. What merely looks
 * wrong is no refusal: see plausibility.ts.
 */
const RULES: readonly Rule[] = [
  {
    // The envelope is bound to the topic, the payload to itself: a signer may not speak for another.
    code: 'identity',
    refuses: (index, { tenant, device }) => index.tenant !== tenant || index.device !== device,
  },
  {
    code: 'future',
    refuses: ({ capturedAt, day }, _, nowSeconds, { futureSecondsMax }) =>
      capturedAt.epochSeconds > nowSeconds + futureSecondsMax ||
      endOfDay(day) > nowSeconds + futureSecondsMax,
  },
  {
    code: 'too-old',
    refuses: ({ capturedAt, day }, _, nowSeconds, { ageDaysMax }) =>
      Math.min(capturedAt.epochSeconds, endOfDay(day)) < nowSeconds - ageDaysMax * DAY_SECONDS,
  },
];

/** The code of the first rule that refuses, or undefined: admitted. */
export function refusalOf(
  index: DailyIndex,
  binding: Binding,
  nowSeconds: number,
  limits: Limits,
): RefusalCode | undefined {
  return RULES.find(({ refuses }) => refuses(index, binding, nowSeconds, limits))?.code;
}

/** The earliest moment at which a Belgian day can be over. */
function endOfDay(day: string): number {
  return utcDayStart(day) + DAY_SECONDS - DAY_END_BEFORE_UTC_SECONDS;
}
