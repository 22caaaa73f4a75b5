import {
  breaker,
  clock,
  eachPhase,
  hexLine,
  message,
  numberLine,
  plainLine,
  powers,
  rate,
  voltages,
  wholeCurrents,
} from './lines.ts';
import { exportTotalWh, importTotalWh } from './reactive.ts';
import {
  quadrantEnergies,
  quadrantPowers,
  rateEnergies,
  reactiveTotals,
  reactiveTotalsOf,
} from './reactive-lines.ts';
import { dialect, type Line } from './row.ts';

/** 15.8.0 is |A+| + |A−|: both directions together. */
const bothDirections = numberLine(
  '1-0:15.8.0(',
  6,
  3,
  '*kWh)\r\n',
  (state) => importTotalWh(state) + exportTotalWh(state),
);

/** That of the whole meter, then of the phases. */
const powerFactors: Line = (out, { phases }) => {
  let least = 1000;
  for (const { powerFactorMilli = 1000 } of phases) least = Math.min(least, powerFactorMilli);
  out.text('1-0:13.7.0(').number(least, 1, 3).text(')\r\n');
};
const phasePowerFactors = eachPhase(['1-0:33.7.0(', '1-0:53.7.0(', '1-0:73.7.0('], (out, phase) => {
  out.number(phase.powerFactorMilli ?? 1000, 1, 3).text(')\r\n');
});

const NOMINAL_CENTIHERTZ = 5000;
const frequency = numberLine(
  '1-0:14.7.0(',
  2,
  2,
  '*Hz)\r\n',
  ({ frequencyCentiHz = NOMINAL_CENTIHERTZ }) => frequencyCentiHz,
);

const limiter: Line = (out, { limiterW }) => {
  out
    .text('0-0:17.0.0(')
    .number(limiterW ?? 99_999, 2, 3)
    .text('*kW)\r\n');
};
const fuses: Line = (out, { fuseCentiA, phases }) => {
  for (let index = 0; index < phases.length; index += 1)
    out
      .text(`1-0:${31 + 20 * index}.4.0(`)
      .number(fuseCentiA ?? 99_999, 3, 2)
      .text('*A)\r\n');
};

/** The registers as the last month closed them, under the code that Belgium has for its peaks. */
const monthClose: Line = (out, state) => {
  const last = state.closedPeaks.at(-1);
  if (last === undefined) return;
  const [taken, given] = reactiveTotals(state);
  out.text('0-0:98.1.0(').time(last.monthEnd).text(')');
  for (const energyWh of [importTotalWh(state), exportTotalWh(state)])
    out.text('(').number(energyWh, 6, 3).text('*kWh)');
  for (const energyVarh of [taken, given]) out.text('(').number(energyVarh, 6, 3).text('*kvarh)');
  out.text('(').number(last.powerW, 2, 3).text('*kW)\r\n');
};

/** A Holley leaves a blank behind each unit. */
const spacedEnergies: readonly Line[] = [
  numberLine('1-0:1.8.0(', 6, 3, '*kWh )\r\n', importTotalWh),
  numberLine('1-0:1.8.1(', 6, 3, '*kWh )\r\n', ({ importWh }) => importWh[0]),
  numberLine('1-0:1.8.2(', 6, 3, '*kWh )\r\n', ({ importWh }) => importWh[1]),
  numberLine('1-0:2.8.0(', 6, 3, '*kWh )\r\n', exportTotalWh),
];
const spacedVoltages = eachPhase(['1-0:32.7.0(', '1-0:52.7.0(', '1-0:72.7.0('], (out, { voltageDeciV }) => {
  out.number(voltageDeciV, 3, 1).text('*V )\r\n');
});
/** The end of the last month under the code of the clock, and once more under its own. */
const lastMonthEnd: Line = (out, { closedPeaks }) => {
  const last = closedPeaks.at(-1);
  if (last !== undefined)
    out.text('0-0:1.0.0(').time(last.monthEnd).text(')\r\n1-0:0.1.2(').time(last.monthEnd).text(')\r\n');
};

export const HUNGARIAN = {
  hungary: dialect({
    after: "E.ON's description of the customer interface in Hungary, a Sagemcom",
    header: 'SAG5SIM-METER',
    periodSeconds: 10,
    lines: [
      clock,
      hexLine('0-0:42.0.0(', ({ serial }) => `SIM${serial}`),
      hexLine('0-0:96.1.0(', ({ serial }) => serial),
      rate,
      breaker,
      limiter,
      rateEnergies,
      reactiveTotalsOf(6, '*kvarh'),
      quadrantEnergies,
      bothDirections,
      voltages,
      wholeCurrents,
      powerFactors,
      phasePowerFactors,
      frequency,
      powers,
      quadrantPowers,
      fuses,
      monthClose,
      message,
    ],
  }),
  'hungary-holley': dialect({
    after:
      "a Holley of Hungary: a slash in its name, blanks behind its units, last month's end as a second clock",
    header: 'HLY5/SIM77-METER',
    periodSeconds: 10,
    lines: [
      clock,
      plainLine('0-0:96.1.0(', ({ serial }) => serial),
      rate,
      ...spacedEnergies,
      spacedVoltages,
      wholeCurrents,
      powers,
      lastMonthEnd,
      message,
    ],
  }),
} as const;
