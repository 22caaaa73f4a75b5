import { QUARTER_SECONDS } from '../gateway/edge/days/calendar.ts';
import { newRegister, type Part, registersOfDay, type Stream, type Surroundings } from './flow.ts';
import { drawAt, drawBetween, mix } from './hash.ts';
import { HOUSEHOLD, QUARTERS_PER_DAY, SHAPES } from './shapes.ts';

/** What kind of household stands behind a meter. */
export interface ElectricityTraits {
  readonly phases: 1 | 3;
  /** Peak power of the panels; 0 without. */
  readonly panelsKw: number;
  readonly householdWhPerYear: number;
  readonly heatPumpWhPerYear: number;
  readonly carWhPerYear: number;
  /** Main fuse, per phase. */
  readonly fuseA: number;
}

/** How often a household has what; Belgian orders of magnitude of the middle of the 2020s. */
const SHARE = { panels: 0.34, heatPump: 0.1, car: 0.12, threePhases: 0.35 } as const;

/** A charging car takes this much in a quarter-hour: 3.7 kW on one phase, 11 kW on three. */
const CAR_QUARTER_WH = { 1: 925, 3: 2_750 } as const;

/** Draw positions: one per trait, so that a new trait moves no old one. */
const DRAW = {
  phases: 1,
  panels: 2,
  panelsKw: 3,
  household: 4,
  heatPump: 5,
  heatPumpWh: 6,
  car: 7,
  carWh: 8,
  habit: 9,
  carHour: 10,
  fuse: 11,
  ownUse: 12,
  base: 13,
} as const;

export function electricityTraits(state: number): ElectricityTraits {
  const panels = drawAt(state, DRAW.panels) < SHARE.panels;
  const heatPump = drawAt(state, DRAW.heatPump) < SHARE.heatPump;
  const car = drawAt(state, DRAW.car) < SHARE.car;
  const phases = heatPump || drawAt(state, DRAW.phases) < SHARE.threePhases ? 3 : 1;
  // Many small households, few large ones: between 1,100 and 6,500 kWh a year, half of them below 2,500.
  const size = drawAt(state, DRAW.household) ** 2;
  return {
    phases,
    panelsKw: panels ? Math.round(drawBetween(state, DRAW.panelsKw, 20, phases === 3 ? 95 : 50)) / 10 : 0,
    householdWhPerYear: Math.round(1_100_000 + 5_400_000 * size),
    heatPumpWhPerYear: heatPump ? Math.round(drawBetween(state, DRAW.heatPumpWh, 2_200_000, 5_500_000)) : 0,
    carWhPerYear: car ? Math.round(drawBetween(state, DRAW.carWh, 900_000, 3_300_000)) : 0,
    fuseA: phases === 3 ? 25 : drawAt(state, DRAW.fuse) < 0.5 ? 40 : 50,
  };
}

/** The four registers at each quarter-hour boundary of a day, in Wh: rate 1 is day, rate 2 night. */
export interface ElectricityDay {
  readonly importDayWh: Float64Array;
  readonly importNightWh: Float64Array;
  readonly exportDayWh: Float64Array;
  readonly exportNightWh: Float64Array;
}

export class ElectricityCurve {
  readonly traits: ElectricityTraits;
  readonly #surroundings: Surroundings;
  readonly #since: number;
  readonly #import: readonly Part[];
  readonly #export: readonly Part[];

  constructor(surroundings: Surroundings, state: number, since: number) {
    this.#surroundings = surroundings;
    this.#since = since;
    this.traits = electricityTraits(state);
    this.#import = importParts(this.traits, state);
    this.#export = exportParts(this.traits, state);
  }

  day(number: number): ElectricityDay {
    const [importDayWh, importNightWh] = registersOfDay(
      this.#surroundings,
      this.#import,
      number,
      this.#since,
    );
    const nothing = new Float64Array(importDayWh!.length);
    const [exportDayWh, exportNightWh] =
      this.#export.length === 0
        ? [nothing, nothing]
        : registersOfDay(this.#surroundings, this.#export, number, this.#since);
    return {
      importDayWh: importDayWh!,
      importNightWh: importNightWh!,
      exportDayWh: exportDayWh!,
      exportNightWh: exportNightWh!,
    };
  }

  /** The highest quarter-hour of import of a day. */
  peakOf(number: number): QuarterPeak {
    registersOfDay(this.#surroundings, this.#import, number, this.#since, scratch);
    const { frame } = this.#surroundings.day(number);
    return highestQuarter(scratch[0], scratch[1], frame.startSeconds, frame.quarterCount);
  }

  /** The month (`YYYY-MM`) that a day belongs to, and when the day begins. */
  monthOf(number: number): { readonly month: string; readonly startSeconds: number } {
    const { date, startSeconds } = this.#surroundings.day(number).frame;
    return { month: date.slice(0, 7), startSeconds };
  }
}

const scratch = [newRegister(), newRegister()] as const;

export interface QuarterPeak {
  /** Epoch seconds at which the quarter-hour ended. */
  readonly endSeconds: number;
  /** Average power: 4 × its Wh. */
  readonly watts: number;
}

/** The highest of the first `quarters` of a day; at equal height the earliest. */
export function highestQuarter(
  importDayWh: Float64Array,
  importNightWh: Float64Array,
  startSeconds: number,
  quarters: number,
): QuarterPeak {
  let highestWh = 0;
  let highestAt = 0;
  let before = importDayWh[0]! + importNightWh[0]!;
  for (let quarter = 0; quarter < quarters; quarter++) {
    const after = importDayWh[quarter + 1]! + importNightWh[quarter + 1]!;
    if (after - before > highestWh) {
      highestWh = after - before;
      highestAt = quarter;
    }
    before = after;
  }
  return { endSeconds: startSeconds + (highestAt + 1) * QUARTER_SECONDS, watts: highestWh * 4 };
}

function importParts(traits: ElectricityTraits, state: number): Part[] {
  const stream = (driver: Stream['driver'], whPerYear: number, jitter: number, salt: number): Stream => ({
    driver,
    coefficient: whPerYear,
    jitter,
    state: mix(state, salt),
  });
  const sunny = traits.panelsKw > 0;
  const perDay = traits.householdWhPerYear / 365;
  const parts: Part[] = [
    {
      streams: [
        stream(sunny ? 'sunnyHouseholdDay' : 'householdDay', perDay, 0.55, 101),
        stream(sunny ? 'sunnyHouseholdNight' : 'householdNight', perDay, 0.55, 102),
      ],
      weigh: weighHousehold(state, sunny),
    },
  ];
  if (traits.heatPumpWhPerYear > 0)
    parts.push({
      streams: [
        stream('heatPumpDay', traits.heatPumpWhPerYear, 0.2, 103),
        stream('heatPumpNight', traits.heatPumpWhPerYear, 0.2, 104),
      ],
      weigh: weighHeatPump(state),
    });
  if (traits.carWhPerYear > 0)
    parts.push({
      streams: [null, stream('carCharge', traits.carWhPerYear / 365, 0.96, 105)],
      weigh: weighCar(state, traits),
    });
  return parts;
}

function exportParts(traits: ElectricityTraits, state: number): Part[] {
  if (traits.panelsKw === 0) return [];
  // A panel's output over a quarter-hour, less the third that the household takes itself.
  const coefficient = traits.panelsKw * 250 * drawBetween(state, DRAW.ownUse, 0.55, 0.75);
  const weigh: Part['weigh'] = (day, weights) => {
    for (let quarter = 0; quarter < day.sun.length; quarter++) weights[quarter] = day.sun[quarter]! ** 1.4;
  };
  return [
    {
      streams: [
        { driver: 'exportDay', coefficient, jitter: 0.12, state: mix(state, 106) },
        { driver: 'exportNight', coefficient, jitter: 0.12, state: mix(state, 107) },
      ],
      weigh,
    },
  ];
}

/**
 * A base load that never stops, the typical day moved by the household's own hours, and appliances: about one
 * quarter-hour in thirteen stands out by three to eight times.
 */
function weighHousehold(state: number, sunny: boolean): Part['weigh'] {
  const shift = Math.floor(drawBetween(state, DRAW.habit, -6, 7));
  const base = drawBetween(state, DRAW.base, 0.18, 0.45) / QUARTERS_PER_DAY;
  return (day, weights) => {
    const shape = HOUSEHOLD[day.kind];
    const today = mix(state, day.frame.number);
    const { localQuarters, quarterCount } = day.frame;
    for (let quarter = 0; quarter < quarterCount; quarter++) {
      const typical = shape[(localQuarters[quarter]! - shift + QUARTERS_PER_DAY) % QUARTERS_PER_DAY]!;
      const draw = drawAt(today, quarter);
      const appliance = draw > 0.925 ? 3 + 66 * (draw - 0.925) : 0.3 + 0.7 * draw;
      const load = base + typical * appliance;
      weights[quarter] = sunny ? load * day.bought[quarter]! : load;
    }
  };
}

/** A heat pump runs in cycles around its typical day. */
function weighHeatPump(state: number): Part['weigh'] {
  return (day, weights) => {
    const today = mix(state ^ 0x4e47, day.frame.number);
    const { localQuarters, quarterCount } = day.frame;
    for (let quarter = 0; quarter < quarterCount; quarter++)
      weights[quarter] = SHAPES.heatPump[localQuarters[quarter]!]! * (0.4 + 1.2 * drawAt(today, quarter));
  };
}

/** A car charges in one block in the small hours, as long as the day's amount takes at the charger's power. */
function weighCar(state: number, traits: ElectricityTraits): Part['weigh'] {
  const first = Math.floor(drawBetween(state, DRAW.carHour, 1, 7));
  const quarters = Math.min(
    23 - first,
    Math.ceil((2 * traits.carWhPerYear) / 365 / CAR_QUARTER_WH[traits.phases]),
  );
  return (day, weights) => {
    const start = first + Math.floor(3 * drawAt(mix(state ^ 0xca5, day.frame.number), 0));
    const { localQuarters, quarterCount } = day.frame;
    for (let quarter = 0; quarter < quarterCount; quarter++) {
      const local = localQuarters[quarter]!;
      weights[quarter] = local >= start && local < start + quarters ? 1 : 0;
    }
  };
}
