import { type Part, registersOfDay, type Surroundings } from './flow.ts';
import { drawAt, drawBetween, mix } from './hash.ts';
import { SHAPES, WATER } from './shapes.ts';

/** Meters with one register: gas in dm³ (not temperature-corrected), water in litres, heat in MJ. */
export type VolumeMedium = 'gas' | 'water' | 'heat';

interface Need {
  /** Per year, in the register's unit. */
  readonly least: number;
  readonly most: number;
}

/** What a dwelling uses in a year. */
const SPACE_HEAT: Readonly<Record<'gas' | 'heat', Need>> = {
  gas: { least: 500_000, most: 2_300_000 },
  heat: { least: 9_000, most: 42_000 },
};
const HOT_WATER: Readonly<Record<'gas' | 'heat', Need>> = {
  gas: { least: 90_000, most: 380_000 },
  heat: { least: 4_000, most: 12_000 },
};
const WATER_LITRES: Need = { least: 28_000, most: 165_000 };

export class VolumeCurve {
  readonly medium: VolumeMedium;
  readonly #surroundings: Surroundings;
  readonly #since: number;
  readonly #parts: readonly Part[];

  constructor(surroundings: Surroundings, medium: VolumeMedium, state: number, since: number) {
    this.medium = medium;
    this.#surroundings = surroundings;
    this.#since = since;
    this.#parts = medium === 'water' ? waterParts(state) : heatingParts(medium, state);
  }

  /** The register at each quarter-hour boundary of a day. */
  day(number: number): Float64Array {
    return registersOfDay(this.#surroundings, this.#parts, number, this.#since)[0]!;
  }
}

const between = (state: number, salt: number, need: Need): number =>
  drawBetween(state, salt, need.least, need.most);

function heatingParts(medium: 'gas' | 'heat', state: number): Part[] {
  const lowerByNight = drawBetween(state, 3, 0.3, 1);
  return [
    {
      streams: [
        {
          driver: 'spaceHeat',
          coefficient: between(state, 1, SPACE_HEAT[medium]),
          jitter: 0.25,
          state: mix(state, 201),
        },
      ],
      weigh: (day, weights) => {
        const today = mix(state ^ 0x5ace, day.frame.number);
        const { localQuarters, quarterCount } = day.frame;
        for (let quarter = 0; quarter < quarterCount; quarter++) {
          const typical = SHAPES.spaceHeat[localQuarters[quarter]!]!;
          // A burner is on or off; in a mild quarter-hour it may not run at all.
          const draw = drawAt(today, quarter);
          weights[quarter] = draw < 0.22 ? 0 : typical ** (2 - lowerByNight) * (0.5 + draw);
        }
      },
    },
    {
      streams: [
        {
          driver: 'hotWater',
          coefficient: between(state, 2, HOT_WATER[medium]) / 365,
          jitter: 0.6,
          state: mix(state, 202),
        },
      ],
      weigh: weighTaps(state ^ 0x407, () => SHAPES.hotWater),
    },
  ];
}

function waterParts(state: number): Part[] {
  return [
    {
      streams: [
        {
          driver: 'water',
          coefficient: between(state, 1, WATER_LITRES) / 365,
          jitter: 0.75,
          state: mix(state, 203),
        },
      ],
      weigh: weighTaps(state, (kind) => WATER[kind]),
    },
  ];
}

/** Taps are opened and closed: most quarter-hours have nothing, a shower or a bath stands out. */
function weighTaps(state: number, shapeOf: (kind: 0 | 1 | 2) => Float64Array): Part['weigh'] {
  return (day, weights) => {
    const shape = shapeOf(day.kind);
    const today = mix(state, day.frame.number);
    const { localQuarters, quarterCount } = day.frame;
    for (let quarter = 0; quarter < quarterCount; quarter++) {
      const likely = Math.min(0.85, 26 * shape[localQuarters[quarter]!]!);
      const draw = drawAt(today, quarter);
      weights[quarter] = draw < likely ? 0.1 + (draw / likely) ** 4 : 0;
    }
  };
}
