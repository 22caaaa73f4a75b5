import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from '../../../../protocol/command/command.ts';
import type { OutboxFiles } from '../../outbox/files.ts';
import { memoryFiles } from '../../testing/files.ts';
import type { Installation } from '../installation.ts';
import { Operations, type OperationsOptions, type Receipt } from '../operations.ts';
import type { Notice } from '../step.ts';
import { FakeHardware } from './hardware.ts';
import { DEVICE, FARYS, type Name, ORES, signed, trust } from './people.ts';

/** An electricity meter of ores with its gas meter on channel 1 and a water meter of farys on channel 2. */
export const INSTALLATION: Installation = {
  device: DEVICE,
  home: ORES,
  meters: [
    { channel: 0, owner: ORES, medium: 'electricity', switchable: true },
    { channel: 1, owner: ORES, medium: 'gas', switchable: true },
    { channel: 2, owner: FARYS, medium: 'water', switchable: true },
    { channel: 3, owner: ORES, medium: 'heat', switchable: false },
  ],
  protectedPeriods: [{ from: '11-01', through: '03-15' }],
};

export const GAS_METER: Installation = {
  ...INSTALLATION,
  meters: [{ channel: 0, owner: ORES, medium: 'gas', switchable: true }],
};

/** 2026-06-01 10:00 in Brussels: nobody is protected. */
export const JUNE_MS = Date.UTC(2026, 5, 1, 8);

export interface TestMeter {
  readonly operations: Operations;
  readonly hardware: FakeHardware;
  readonly notices: Notice[];
  readonly files: OutboxFiles;
  readonly directory: string;
  nowMs: number;
  give(command: Command, first?: Name, second?: Name): Promise<Receipt>;
  /** The code of what a command came to; `executed` where it was. */
  outcome(command: Command, first?: Name, second?: Name): Promise<string>;
  end(): Promise<void>;
}

export async function testMeter(options: Partial<OperationsOptions> = {}): Promise<TestMeter> {
  const directory = mkdtempSync(join(tmpdir(), 'hes-operations-'));
  const hardware = new FakeHardware();
  const files = memoryFiles();
  const notices: Notice[] = [];
  const nowMs = options.nowMs ?? JUNE_MS;
  const operations = await Operations.open({
    directory,
    installation: INSTALLATION,
    hardware,
    trust,
    files,
    nowMs,
    onNotice: (notice) => notices.push(notice),
    ...options,
  });
  const meter: TestMeter = {
    operations,
    hardware,
    notices,
    files,
    directory,
    nowMs,
    give: (command, first, second) =>
      operations.receive({ signed: signed(command, first, second), tenant: command.tenant }, meter.nowMs),
    outcome: async (command, first, second) => codeOf(await meter.give(command, first, second)),
    end: async () => {
      await operations.close();
      rmSync(directory, { recursive: true });
    },
  };
  return meter;
}

export function codeOf(receipt: Receipt): string {
  if (!receipt.answered) return `silent ${receipt.code ?? receipt.why}`;
  return receipt.result.outcome.code ?? 'executed';
}
