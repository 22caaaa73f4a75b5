import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bare, DSMR_2_2 } from '../../gateway/edge/p1/example.ts';
import { type SerialLinkOptions, serialLink } from '../../gateway/edge/sources/serial.ts';
import { QUICK, type RunningPort, startPort, telegramText } from '../../gateway/edge/sources/testing/port.ts';
import { hasCommand } from '../support/tools.ts';

/**
 * Serial ports that the system believes in: socat joins two pseudo-terminals, the meter writes into one and the
 * edge opens the other. A pseudo-terminal has no wire, so what a wrong speed makes of bytes is written as such.
 */
const SOCAT_START_MS = 5_000;
/** What 115200 8N1 looks like to a port at 9600, and the other way round. */
const GARBAGE = Buffer.from([0x00, 0xf8, 0x80, 0xfe, 0xc0, 0x1f, 0xff, 0x80]);

/** Quick, but not so quick that a busy machine looks like a silent meter. */
const TIMING = { ...QUICK, telegramMs: 800, silenceMs: 800, detectMs: 300, reopenMs: 2_000 };

let folder: string;
const running: { stop(): Promise<void> | void }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hes-p1-'));
});
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A cable whose one end is a path and whose other is the standard input of socat. */
class Cable {
  readonly path: string;
  readonly #socat: ChildProcess;
  #timer: NodeJS.Timeout | null = null;

  private constructor(path: string) {
    this.path = path;
    this.#socat = spawn('socat', ['-u', 'STDIN', `PTY,link=${path},rawer`], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#socat.stdin!.on('error', () => {});
  }

  static async plug(name = 'meter'): Promise<Cable> {
    const cable = new Cable(join(folder, name));
    running.push(cable);
    await vi.waitFor(() => expect(existsSync(cable.path)).toBe(true), {
      timeout: SOCAT_START_MS,
      interval: 10,
    });
    return cable;
  }

  send(bytes: string | Uint8Array): void {
    this.#socat.stdin!.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  every(ms: number, make: (turn: number) => string | Uint8Array): void {
    this.quiet();
    let turn = 0;
    this.#timer = setInterval(() => this.send(make(turn++)), ms);
  }

  quiet(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  async stop(): Promise<void> {
    this.quiet();
    if (this.#socat.exitCode !== null || this.#socat.signalCode !== null) return;
    this.#socat.kill('SIGKILL');
    await once(this.#socat, 'exit');
    // As the system does it when an adapter is pulled; socat itself had no time to.
    rmSync(this.path, { force: true });
  }
}

function read(path: string, mode: SerialLinkOptions['mode'] = '115200 8N1'): RunningPort {
  const port = startPort(serialLink({ path, mode: mode ?? 'auto' }), { timing: TIMING });
  running.push(port);
  return port;
}

const until = (so: () => void): Promise<void> => vi.waitFor(so, { timeout: 5_000, interval: 10 });

describe.skipIf(!hasCommand('socat'))('a P1 port on a serial line', () => {
  it('is read telegram by telegram, in order and none lost (needs socat)', async () => {
    const cable = await Cable.plug();
    const { seen, said } = read(cable.path);
    await delay(50);
    cable.every(5, telegramText);
    await until(() => expect(seen.length).toBeGreaterThan(50));
    expect(seen).toEqual(seen.map((_, turn) => (turn + seen[0]! / 1000) * 1000));
    expect(said).toEqual(['receiving']);
  });

  it('that is not there is unplugged, said once, and read as soon as it is plugged in (needs socat)', async () => {
    const { seen, said } = read(join(folder, 'meter'));
    await until(() => expect(said).toEqual(['unplugged']));
    await delay(200);
    const cable = await Cable.plug();
    cable.every(5, telegramText);
    await until(() => expect(seen.length).toBeGreaterThan(3));
    expect(said).toEqual(['unplugged', 'receiving']);
  });

  it('survives ten times unplugging and replugging, one line for each (needs socat)', async () => {
    let cable = await Cable.plug();
    cable.every(5, telegramText);
    const { seen, said } = read(cable.path);
    const expected = ['receiving'];
    for (let round = 0; round < 10; round += 1) {
      const before = seen.length;
      await until(() => expect(seen.length).toBeGreaterThan(before + 2));
      await cable.stop();
      await until(() => expect(said.at(-1)).toBe('unplugged'));
      cable = await Cable.plug();
      cable.every(5, telegramText);
      expected.push('unplugged', 'receiving');
      await until(() => expect(said).toEqual(expected));
    }
  });

  it('whose customer port is closed sends nothing, also while both speeds are tried (needs socat)', async () => {
    const cable = await Cable.plug();
    const { said, port } = read(cable.path, 'auto');
    await until(() => expect(said).toEqual(['port-closed']));
    await until(() => expect(port.status().openings).toBeGreaterThan(3));
    expect(said).toEqual(['port-closed']);
  });

  it('that stops in the middle of a telegram is silent, and yields nothing of it (needs socat)', async () => {
    const cable = await Cable.plug();
    cable.every(5, telegramText);
    const { seen, said } = read(cable.path);
    await until(() => expect(seen.length).toBeGreaterThan(3));
    cable.quiet();
    cable.send(telegramText(999_999).slice(0, -8));
    await until(() => expect(said).toEqual(['receiving', 'silent']));
    expect(seen).not.toContain(999_999_000);
  });

  it('at a speed that is set wrong says so (needs socat)', async () => {
    const cable = await Cable.plug();
    cable.every(5, () => GARBAGE);
    const { said } = read(cable.path, '9600 7E1');
    await until(() => expect(said).toEqual(['wrong-speed']));
  });

  it('is tried at both speeds, and stays at the one that gives telegrams (needs socat)', async () => {
    const cable = await Cable.plug();
    const { said, seen, port } = read(cable.path, 'auto');
    const old = bare(DSMR_2_2);
    cable.every(20, () => (port.status().mode === '9600 7E1' ? old : GARBAGE));
    await until(() => expect(seen.length).toBeGreaterThan(30));
    expect(port.status()).toMatchObject({ state: 'receiving', mode: '9600 7E1' });
    expect(said).toEqual(['receiving']);
  });

  it('with stray bytes and no meter is noisy (needs socat)', async () => {
    const cable = await Cable.plug();
    // One byte in a tenth of a quick second, where a stream is twenty in a real one.
    cable.every(100, () => Uint8Array.of(0xa5));
    const { said } = read(cable.path);
    await until(() => expect(said).toEqual(['noise']));
  });

  it('that another program holds is busy, and read when that ends (needs socat)', async () => {
    const cable = await Cable.plug();
    cable.every(5, telegramText);
    const first = read(cable.path);
    await until(() => expect(first.said).toEqual(['receiving']));
    const second = read(cable.path);
    await until(() => expect(second.said).toEqual(['busy']));
    await first.stop();
    await until(() => expect(second.said).toEqual(['busy', 'receiving']));
  });
});
