import { type Figure, goalText, isReached, type Ratio } from './bench.ts';
import type { Result } from './result.ts';

const VERDICTS = new Map([
  [true, 'pass'],
  [false, 'FAIL'],
  [null, ''],
]);

const verdictOf = (ratio: Ratio): string => VERDICTS.get(isReached(ratio))!;

const valueText = ({ value }: Ratio): string => (value === null ? 'peer absent' : String(value));

/** What a terminal shows at the end of a run. */
export function terminalTable(results: readonly Result[]): string {
  const rows = results.flatMap(({ name, ratios }) =>
    ratios.map((ratio) => [name, ratio.name, valueText(ratio), goalText(ratio.goal), verdictOf(ratio)]),
  );
  const head = ['bench', 'ratio', 'value', 'goal', ''];
  const widths = head.map((title, at) =>
    Math.max(...[head, ...rows].map((row) => row[at]!.length), title.length),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd();
  return [head, ...rows].map(line).join('\n');
}

/** bench/RESULTS.md: written from the results, never by hand. */
export function summaryPage(results: readonly Result[]): string {
  return `${[
    '# Results',
    'Written by `npm run bench` from `bench/results/*.json`. A ratio is ours against a peer or a floor that was measured in the same run, in turns with ours; that is what lasts. Figures in units are for orders of magnitude on the machine named.',
    ratioTable(results),
    ...results.map(section),
  ].join('\n\n')}\n`;
}

function ratioTable(results: readonly Result[]): string {
  return [
    '| bench | ratio | value | goal | |',
    '|---|---|---|---|---|',
    ...results.flatMap(({ name, ratios }) =>
      ratios.map(
        (ratio) =>
          `| [${name}](#${name}) | ${ratio.name} | ${valueText(ratio)} | ${goalText(ratio.goal)} | ${verdictOf(ratio)} |`,
      ),
    ),
  ].join('\n');
}

function section({ name, what, at, machine, loadBefore, seconds, figures, absent, notes }: Result): string {
  const { cpu, cores, node } = machine;
  const day = at.slice(0, 10);
  return [
    `## ${name}`,
    what,
    figureTable(figures),
    [...notes, ...absent.map((line) => `Absent: ${line}`)].map((line) => `- ${line}`).join('\n'),
    `${day}, ${cores} × ${cpu}, Node ${node.slice(1)}, ${Math.round(seconds)} s, load ${loadBefore} when it began.`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function figureTable(figures: readonly Figure[]): string {
  if (figures.length === 0) return '';
  const rows = figures.map(
    ({ name, value, unit }) =>
      `| ${name} | ${value.toLocaleString('en-US', { maximumFractionDigits: 3 })} | ${unit} |`,
  );
  return ['| | | |', '|---|---|---|', ...rows].join('\n');
}
