import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EMUCS_1_7_1, sealed } from '../../gateway/edge/p1/example.ts';
import { hasCommand } from '../support/tools.ts';

const HES = resolve(import.meta.dirname, '../../gateway/cli/hes.ts');
const TELEGRAM = sealed(EMUCS_1_7_1);
const EVERY_MS = 100;
/** CI has two slow cores, and a process of ours needs a second to start on them. */
const WAIT_MS = 20_000;
const TEST_MS = 60_000;

let folder: string;
const stops: (() => Promise<void> | void)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hes-p1-watch-'));
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  rmSync(folder, { recursive: true, force: true });
});

class Running {
  out = '';
  err = '';
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown[]>;

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#exit = once(this.#child, 'exit');
    this.#child.stdin!.on('error', () => {});
    this.#child.stdout!.on('data', (text: Buffer) => {
      this.out += text.toString('latin1');
    });
    this.#child.stderr!.on('data', (text: Buffer) => {
      this.err += text.toString('latin1');
    });
    stops.push(async () => {
      this.#child.kill('SIGKILL');
      await this.#exit;
    });
  }

  send(text: string): void {
    this.#child.stdin!.write(Buffer.from(text, 'latin1'));
  }

  /** Ctrl-C; what it ends with. */
  async interrupt(): Promise<unknown> {
    this.#child.kill('SIGINT');
    return (await this.#exit)[0];
  }
}

const watch = (...args: readonly string[]): Running =>
  new Running(process.execPath, [HES, 'p1', 'watch', ...args]);
const until = (so: () => void): Promise<void> => vi.waitFor(so, { timeout: WAIT_MS, interval: 20 });

/** A bridge that sends a telegram to whoever connects, and another every moment. */
async function bridge(text: string): Promise<string> {
  const server: Server = createServer((socket) => {
    const send = (): void => void socket.write(Buffer.from(text, 'latin1'));
    send();
    const timer = setInterval(send, EVERY_MS);
    socket.on('error', () => {});
    socket.on('close', () => clearInterval(timer));
    stops.push(() => void socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(() => void server.close());
  return `tcp:127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('hes p1 watch', () => {
  it('refuses what is no port, before it opens anything', { timeout: TEST_MS }, async () => {
    for (const args of [['tcp:host:0'], ['tcp:host:http'], [HES], ['tcp:1', '--mode', 'auto'], []]) {
      const refused = watch(...args);
      await until(() => expect(refused.err).not.toBe(''));
      expect(refused.out).toBe('');
    }
  });

  it('says in words that a bridge does not answer, and ends with Ctrl-C', { timeout: TEST_MS }, async () => {
    const lonely = watch('tcp:127.0.0.1:1', '--json');
    await until(() => expect(lonely.err).toContain('unreachable'));
    expect(lonely.out).toBe('');
    expect(await lonely.interrupt()).toBe(0);
  });

  it('gives one object per telegram, and none of a damaged one', { timeout: TEST_MS }, async () => {
    const watching = watch(await bridge(TELEGRAM + TELEGRAM.replace('000812.404', '000812.405')), '--json');
    await until(() => expect(watching.out.split('\n').length).toBeGreaterThan(6));
    const [first, second] = watching.out.split('\n').map((line) => (line === '' ? null : JSON.parse(line)));
    expect(first).toMatchObject({ crc: 'valid', header: 'FLU5\\253770234_A', version: '50217' });
    expect(second).toEqual({ crc: 'invalid' });
    expect(await watching.interrupt()).toBe(0);
  });

  it('names a port that speaks another protocol', { timeout: TEST_MS }, async () => {
    const watching = watch(await bridge(`~\u00a0\u0010${'\u0001'.repeat(14)}~`));
    await until(() => expect(watching.err).toContain('HDLC'));
    expect(await watching.interrupt()).toBe(0);
  });
});

describe.skipIf(!hasCommand('socat'))('hes p1 watch with a terminal', () => {
  it('finds a serial port, its speed, and its telegrams (needs socat)', { timeout: TEST_MS }, async () => {
    const path = join(folder, 'meter');
    const cable = new Running('socat', ['-u', 'STDIN', `PTY,link=${path},rawer`]);
    await until(() => expect(existsSync(path)).toBe(true));
    const watching = watch(path);
    const timer = setInterval(() => cable.send(TELEGRAM), EVERY_MS);
    stops.push(() => clearInterval(timer));
    await until(() => expect(watching.err).toContain('receiving, telegrams arrive'));
    expect(watching.err).toContain(`${path} 115200 8N1`);
    await until(() => expect(watching.out).toContain('active energy import, rate 1'));
    expect(await watching.interrupt()).toBe(0);
  });

  it('draws one picture over and over, and leaves the screen as it was (needs socat)', {
    timeout: TEST_MS,
  }, async () => {
    const port = await bridge(TELEGRAM);
    const shown = new Running('socat', [
      'STDIN!!STDOUT',
      `EXEC:"${process.execPath} ${HES} p1 watch ${port}",pty,setsid,ctty,stderr`,
    ]);
    await until(() => expect(shown.out).toContain('812.404'));
    expect(shown.out).toContain('\u001b[?1049h');
    // What a person types: the terminal makes SIGINT of it.
    shown.send('\u0003');
    await until(() => expect(shown.out).toContain('\u001b[?1049l'));
    expect(shown.out).toMatch(/\d+ telegrams?, the last \d+ s ago/);
  });
});
