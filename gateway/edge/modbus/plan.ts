import { registersOf } from './data-types.ts';
import type { ModbusEntry, ModbusLimits, ModbusProfile, ReadFunction } from './profile.ts';

/** One request, and what is to be found in its answer. */
export interface Block {
  readonly function: ReadFunction;
  readonly address: number;
  readonly count: number;
  readonly entries: readonly ModbusEntry[];
}

/**
 * The fewest requests that read all entries within the meter's limits: from the lowest address up, each block takes
 * what still fits. Taking more into an earlier block never costs a later one, so that no other cut needs fewer.
 */
export function planReads(
  entries: readonly ModbusEntry[],
  profile: Pick<ModbusProfile, 'function' | 'limits'>,
): Block[] {
  const functions = new Map<ReadFunction, ModbusEntry[]>();
  for (const entry of entries) {
    const code = entry.function ?? profile.function;
    functions.set(code, [...(functions.get(code) ?? []), entry]);
  }
  return [...functions].flatMap(([code, own]) =>
    blocksOf(own.toSorted(byAddress), profile.limits).map((block) => ({ function: code, ...block })),
  );
}

const byAddress = (one: ModbusEntry, other: ModbusEntry): number => one.address - other.address;

const endOf = ({ address, type }: ModbusEntry): number => address + registersOf(type);

function blocksOf(sorted: readonly ModbusEntry[], limits: ModbusLimits): Omit<Block, 'function'>[] {
  const blocks: { address: number; end: number; entries: ModbusEntry[] }[] = [];
  for (const entry of sorted) {
    const block = blocks.at(-1);
    const end = endOf(entry);
    const fits =
      block !== undefined &&
      entry.address - block.end <= limits.gapMax &&
      Math.max(end, block.end) - block.address <= limits.registersMax;
    if (fits) {
      block.entries.push(entry);
      block.end = Math.max(end, block.end);
    } else blocks.push({ address: entry.address, end, entries: [entry] });
  }
  return blocks.map(({ address, end, entries }) => ({ address, count: end - address, entries }));
}
