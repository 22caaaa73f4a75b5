import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { P1ReaderOptions } from '../../gateway/edge/p1/reader.ts';
import type { P1Telegram } from '../../gateway/edge/p1/telegram.ts';
import type { Link } from '../../gateway/edge/sources/link.ts';
import { P1Port } from '../../gateway/edge/sources/port.ts';
import type { SourceTiming } from '../../gateway/edge/sources/timing.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { createLog } from '../../gateway/runtime/log.ts';
import type { P1MeterState } from '../../meter-emulator/p1/encode.ts';

/** An edge's port that lets a test see what it received and in which states it was. */
export interface WatchedPort {
  readonly port: P1Port;
  readonly telegrams: P1Telegram[];
  readonly said: string[];
  stop(): Promise<void>;
}

/** Patient enough for a telegram a second on a busy machine, and ten times as impatient as a real one. */
export const METER_TIMING: SourceTiming = {
  telegramMs: 3_000,
  silenceMs: 3_000,
  detectMs: 4_000,
  reopenMs: 20_000,
  connectMs: 2_000,
  tickMs: 50,
  backoff: { baseMs: 100, maxMs: 200, minMs: 50 },
};

export function watchPort(link: Link, reading: P1ReaderOptions = {}): WatchedPort {
  const telegrams: P1Telegram[] = [];
  const said: string[] = [];
  const destination = new Writable({
    write(line: Buffer, _, done) {
      said.push((JSON.parse(line.toString()) as { port: string }).port);
      done();
    },
  });
  const log = createLog({ name: 'test', destination });
  const port = new P1Port({
    name: 'meter',
    link,
    log,
    counters: new Counters(),
    timing: METER_TIMING,
    reading,
  });
  const abort = new AbortController();
  const run = port.run({ telegram: (telegram) => void telegrams.push(telegram) }, abort.signal);
  return {
    port,
    telegrams,
    said,
    stop: async () => {
      abort.abort();
      await run;
    },
  };
}

/** Registers of a telegram and of the meter as text: what both must agree on, digit for digit. */
export function registersRead({ registers, channels }: P1Telegram): string[] {
  return [
    ...registers.map(({ obis, value, scaler }) => `${obis} ${value}e${scaler}`),
    ...channels.flatMap(({ channel, readings }) =>
      readings.map(({ value, scaler }) => `${channel} ${value}e${scaler}`),
    ),
  ].toSorted();
}

/** As a Belgian dialect prints them: four registers and its M-Bus devices. */
export function registersShown({ importWh, exportWh, devices }: P1MeterState): string[] {
  return [
    `1-0:1.8.1 ${importWh[0]}e0`,
    `1-0:1.8.2 ${importWh[1]}e0`,
    `1-0:2.8.1 ${exportWh[0]}e0`,
    `1-0:2.8.2 ${exportWh[1]}e0`,
    ...devices.map(({ channel, value }) => `${channel} ${value}e-3`),
  ].toSorted();
}

const HES = join(resolve(import.meta.dirname, '../..'), 'gateway/cli/hes.ts');

/** `hes emulate meter --json …` as a process. */
export class EmulatorProcess {
  readonly child: ChildProcess;
  readonly events: { readonly event: string; readonly [key: string]: unknown }[] = [];
  stderr = '';

  constructor(words: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.child = spawn(process.execPath, [HES, 'emulate', 'meter', '--json', ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    });
    this.child.stderr!.on('data', (text: Buffer) => {
      this.stderr += text.toString();
    });
    createInterface(this.child.stdout!).on('line', (line) => this.events.push(JSON.parse(line)));
  }

  async ended(): Promise<number | null> {
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    return child.exitCode;
  }

  async kill(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.ended();
  }
}

/** `hes …` with what it printed, once it ended. */
export async function hes(...words: string[]): Promise<{ code: number | null; stdout: string }> {
  const child = spawn(process.execPath, [HES, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString();
  });
  await once(child, 'close');
  return { code: child.exitCode, stdout };
}
