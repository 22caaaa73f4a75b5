import { spawn } from 'node:child_process';
import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { HesError } from '../../protocol/errors.ts';
import type { EmulatedMeterErrorCode } from './errors.ts';

/** Never its controlling terminal; and never waits, as the emulator is one process. */
const OPEN_FLAGS = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK;

/** Linux, asm-generic/ioctls.h: TIOCSPTLCK with 0 lets others open the terminal. Node has no ioctl; socat has. */
const UNLOCK = ['socat', '-u', 'OPEN:/dev/null', 'FD:3,ioctl-intp=0x40045431:0'] as const;

/** Bytes pass as they are, for readers too that set nothing, such as cat. socat would restore on its end what it set. */
const rawMode = (device: string) => ['stty', '-F', device, 'raw', '-echo'] as const;

/** What is read at once; what a reader sends to a P1 port is thrown away, a Modbus question is shorter. */
const READ_BYTES = 4_096;

/**
 * A pseudo-terminal with a name: whoever opens `path` has a serial port in front of him. This side holds the master,
 * so it knows whether anybody has the port open, and nothing piles up for a reader that is not there.
 */
export class Pty {
  readonly path: string;
  readonly #master: number;
  readonly #device: string;
  #open = true;

  private constructor(path: string, master: number, device: string) {
    this.path = path;
    this.#master = master;
    this.#device = device;
  }

  /** @throws ERR_EMULATED_METER_SOCAT, ERR_EMULATED_METER_PATH */
  static async open(path: string): Promise<Pty> {
    refuseTaken(path);
    const master = openMaster();
    try {
      await run(UNLOCK, master);
      const device = deviceOf(master);
      await run(rawMode(device), master);
      const pty = new Pty(path, master, device);
      // Until it was open once, a terminal does not tell that it is closed.
      pty.#drain();
      link(device, path);
      stayUntilClosed(pty);
      return pty;
    } catch (error) {
      closeSync(master);
      throw error;
    }
  }

  /**
   * Whether somebody has the port open: reading the master then finds nothing, or what that somebody wrote, and else
   * an I/O error (tty_ioctl(4), "hung up"). What was read is handed over.
   */
  look(read?: (bytes: Buffer) => void): boolean {
    if (!this.#open) return false;
    for (;;)
      try {
        const bytes = Buffer.allocUnsafe(READ_BYTES);
        const count = readSync(this.#master, bytes);
        if (count === 0) return false;
        read?.(bytes.subarray(0, count));
      } catch (error) {
        return codeOf(error) === 'EAGAIN';
      }
  }

  /** As a wire does: what the reader's full buffer has no room for is lost. */
  write(bytes: Uint8Array): void {
    if (!this.#open) return;
    try {
      writeSync(this.#master, bytes);
    } catch (error) {
      if (!LOST_BYTES.has(codeOf(error))) throw error;
    }
  }

  /** What was on its way to a reader that has gone is no news for the next one. */
  forgetUnread(): void {
    if (this.#open) this.#drain();
  }

  /** The link vanishes and whoever has the port open is hung up on. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    opened.delete(this);
    if (opened.size === 0) process.off('exit', closeAll);
    unlinkOwn(this.path, this.#device);
    closeSync(this.#master);
  }

  #drain(): void {
    let terminal: number;
    try {
      terminal = openSync(this.#device, OPEN_FLAGS);
    } catch {
      return;
    }
    try {
      const scratch = Buffer.allocUnsafe(READ_BYTES);
      while (readSync(terminal, scratch) > 0);
    } catch {
      // Nothing more to read.
    } finally {
      closeSync(terminal);
    }
  }
}

/** A process that ends without closing them, by a crash too, leaves no link that leads nowhere. */
const opened = new Set<Pty>();

function stayUntilClosed(pty: Pty): void {
  if (opened.size === 0) process.on('exit', closeAll);
  opened.add(pty);
}

function closeAll(): void {
  for (const pty of opened) pty.close();
}

/** Its buffer is full, or it was closed a moment ago. */
const LOST_BYTES: ReadonlySet<string> = new Set(['EAGAIN', 'EIO']);

function openMaster(): number {
  try {
    return openSync('/dev/ptmx', OPEN_FLAGS);
  } catch (cause) {
    throw failure('ERR_EMULATED_METER_SOCAT', 'this system gives no pseudo-terminal (/dev/ptmx)', cause);
  }
}

/** Let a tool of the system do its one thing to the master, which it has as descriptor 3. */
function run([command, ...words]: readonly [string, ...string[]], master: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const tool = spawn(command, words, {
      stdio: ['ignore', 'ignore', 'ignore', master],
      timeout: TOOL_MS_MAX,
    });
    const refuse = (why: string, cause?: unknown): void =>
      reject(
        failure(
          'ERR_EMULATED_METER_SOCAT',
          `${command} is needed for a pseudo-terminal and ${why}; install it (apt install socat), or serve over tcp:PORT`,
          cause,
        ),
      );
    tool.once('error', (error) => refuse('cannot be run', error));
    tool.once('exit', (code) => {
      if (code === 0) resolve();
      else refuse('failed');
    });
  });
}

/** It takes milliseconds; on a machine that swaps, seconds. */
const TOOL_MS_MAX = 10_000;

/** proc(5): `tty-index` of a master is the number of its terminal. */
function deviceOf(master: number): string {
  const index = /^tty-index:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${master}`, 'utf8'))?.[1];
  if (index === undefined)
    throw failure('ERR_EMULATED_METER_SOCAT', 'this kernel does not tell the number of a pseudo-terminal');
  return `/dev/pts/${index}`;
}

/** A link of an emulator that was killed leads to a terminal that is gone: that one may be replaced. */
function refuseTaken(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  const isLeftOver =
    found.isSymbolicLink() &&
    readlinkSync(path).startsWith('/dev/pts/') &&
    statSync(path, { throwIfNoEntry: false }) === undefined;
  if (!isLeftOver) throw failure('ERR_EMULATED_METER_PATH', `there is something at ${path} already`);
  unlinkSync(path);
}

function link(device: string, path: string): void {
  try {
    symlinkSync(device, path);
  } catch (cause) {
    throw failure(
      'ERR_EMULATED_METER_PATH',
      `the pseudo-terminal cannot be linked to ${path}: ${codeOf(cause)}`,
      cause,
    );
  }
}

/** Only what still is this meter's: somebody may have put something else there since. */
function unlinkOwn(path: string, device: string): void {
  try {
    if (readlinkSync(path) === device) unlinkSync(path);
  } catch {
    // Gone already.
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}

function failure(
  code: EmulatedMeterErrorCode,
  message: string,
  cause?: unknown,
): HesError<EmulatedMeterErrorCode> {
  return new HesError(code, message, { cause });
}
