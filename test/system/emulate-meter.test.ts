import { spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { dayNamed, QUARTER_SECONDS } from '../../gateway/edge/days/calendar.ts';
import { PROFILE_NAMES, profileNamed } from '../../gateway/edge/modbus/profiles.ts';
import { AUTHENTICATION_KEY_LUXEMBOURG } from '../../gateway/edge/p1/glo-keys.ts';
import { parseTelegram } from '../../gateway/edge/p1/parse.ts';
import { serialLink } from '../../gateway/edge/sources/serial.ts';
import { tcpLink } from '../../gateway/edge/sources/tcp.ts';
import { simulatedClock } from '../../gateway/runtime/clock.ts';
import { P1_DIALECTS } from '../../meter-emulator/meter/dialect-ports.ts';
import { EmulatedPhysicalMeter, type MeterOptions } from '../../meter-emulator/meter/meter.ts';
import { modbusMeterOf } from '../../meter-emulator/modbus/meter.ts';
import { DIALECT_PORTS } from '../../meter-emulator/p1/dialects.ts';
import { encodeTelegramBytes } from '../../meter-emulator/p1/encode.ts';
import {
  EmulatorProcess,
  hes,
  registersRead,
  registersShown,
  type WatchedPort,
  watchPort,
} from '../support/emulated-meter.ts';
import { hasCommand } from '../support/tools.ts';

const HOST = '127.0.0.1';
const SEED = 7;
const PATIENCE = { timeout: 60_000, interval: 20 };

let folder: string;
let link: string;
const running: { stop(): Promise<void> }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hes-meter-'));
  link = join(folder, 'p1');
});
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});

async function startMeter(options: Partial<MeterOptions> = {}): Promise<EmulatedPhysicalMeter> {
  const meter = await EmulatedPhysicalMeter.start({ seed: SEED, ports: [{ tcp: { port: 0 } }], ...options });
  running.push(meter);
  return meter;
}

function watch(...words: Parameters<typeof watchPort>): WatchedPort {
  const port = watchPort(...words);
  running.push(port);
  return port;
}

function emulator(...words: string[]): EmulatorProcess {
  const process = new EmulatorProcess(words);
  running.push({ stop: async () => void (await process.kill('SIGTERM')) });
  return process;
}

const portOf = (meter: EmulatedPhysicalMeter, index = 0): number => {
  const endpoint = meter.endpoints[index]!;
  return endpoint.kind === 'tcp' ? endpoint.port : 0;
};
const until = (so: () => void): Promise<void> => vi.waitFor(so, PATIENCE);

/** The parser is given a telegram up to its CRC. */
function withoutLineEnd(bytes: Buffer): Buffer {
  return bytes.toString('latin1').endsWith('\r\n') ? bytes.subarray(0, -2) : bytes;
}

/** Each telegram says what the meter says of that moment. */
function expectTrue({ telegrams }: WatchedPort, meter: EmulatedPhysicalMeter): void {
  for (const telegram of telegrams) {
    const { epochSeconds } = telegram.meterTime!;
    expect(registersRead(telegram)).toEqual(registersShown(meter.state(epochSeconds * 1_000)));
  }
}

describe('an emulated meter on TCP', () => {
  it('is read by several at once, a telegram a second, each as the meter stands', async () => {
    const meter = await startMeter();
    const readers = [0, 1].map(() => watch(tcpLink({ host: HOST, port: portOf(meter) })));
    await until(() =>
      expect(Math.min(...readers.map(({ telegrams }) => telegrams.length))).toBeGreaterThan(3),
    );
    for (const reader of readers) {
      expectTrue(reader, meter);
      expect(reader.said).toEqual(['receiving']);
      expect(reader.port.status().faults).toEqual({});
      const seconds = reader.telegrams.map(({ meterTime }) => meterTime!.epochSeconds);
      expect(new Set(seconds).size).toBe(seconds.length);
    }
  });

  it('takes its time for a telegram, as a line does', async () => {
    const meter = await startMeter();
    const socket = connect(portOf(meter), HOST);
    running.push({ stop: async () => void socket.destroy() });
    const blocks: { at: number; bytes: Buffer }[] = [];
    socket.on('data', (bytes: Buffer) => blocks.push({ at: performance.now(), bytes }));
    const text = (): string => Buffer.concat(blocks.map(({ bytes }) => bytes)).toString('latin1');
    await until(() => expect(text()).toMatch(/\/FLU5[^!]*![0-9A-F]{4}\r\n/));
    const first = blocks.findIndex(({ bytes }) => bytes.includes('/'));
    const last = blocks.findIndex(({ bytes }, index) => index >= first && bytes.includes('!'));
    // 1.7 kB at 115200 8N1 take 150 ms; a loaded machine makes it more, never less.
    expect(blocks[last]!.at - blocks[first]!.at).toBeGreaterThan(100);
    expect(last - first).toBeGreaterThan(1);
  });

  it('hangs up on a second reader where there may be one', async () => {
    const meter = await startMeter({ ports: [{ tcp: { port: 0, readersMax: 1 } }] });
    const first = watch(tcpLink({ host: HOST, port: portOf(meter) }));
    await until(() => expect(first.said).toEqual(['receiving']));
    const second = watch(tcpLink({ host: HOST, port: portOf(meter) }));
    await until(() => expect(second.said).toEqual(['hung-up']));
    await first.stop();
    await until(() => expect(second.said).toEqual(['hung-up', 'receiving']));
  });

  it('shows each quarter-hour of the night of the clock change, in six minutes a second', async () => {
    const { start } = dayNamed('2026-03-29');
    const clock = simulatedClock({ originMs: start * 1_000, startedAtMs: Date.now(), speed: 1_440 });
    const meter = await startMeter({ clock });
    const reader = watch(tcpLink({ host: HOST, port: portOf(meter) }));
    // Midnight to 06:00 of that night is five hours.
    const wanted = Array.from({ length: 20 }, (_, quarter) => start + (quarter + 1) * QUARTER_SECONDS);
    const seen = (): Set<number> => new Set(reader.telegrams.map(({ meterTime }) => meterTime!.epochSeconds));
    await until(() => expect(Math.max(...seen())).toBeGreaterThan(wanted.at(-1)!));
    expect(wanted.slice(1).filter((moment) => !seen().has(moment))).toEqual([]);
    expectTrue(reader, meter);
    expect(new Set(reader.telegrams.map(({ meterTime }) => meterTime!.offsetMinutes))).toEqual(
      new Set([60, 120]),
    );
  });

  it('speaks every dialect, each at its own pace', async () => {
    const keys = { encryption: Buffer.alloc(16, 7), authentication: Buffer.alloc(16, 9) };
    const spoken = await Promise.all(
      P1_DIALECTS.map(async (dialect) => {
        const sent: number[] = [];
        const meter = await startMeter({
          dialect,
          ...(DIALECT_PORTS[dialect].encrypted ? { keys } : {}),
          onEvent: (event) => event.kind === 'telegram' && sent.push(event.atMs),
        });
        const reader = watch(tcpLink({ host: HOST, port: portOf(meter) }), { keys });
        return { dialect, meter, sent, reader };
      }),
    );
    for (const { dialect, meter, sent, reader } of spoken) {
      await until(() => expect(reader.telegrams.length, dialect).toBeGreaterThan(0));
      const { registers, channels, encryption } = reader.telegrams[0]!;
      // Whoever plugs in late has missed the first ones.
      const said = sent.map((atMs) => {
        const state = meter.state(atMs);
        const parsed = parseTelegram(withoutLineEnd(Buffer.from(encodeTelegramBytes(dialect, state))));
        if (!parsed.ok) throw new Error(`${dialect}: ${parsed.fault}`);
        return { registers: parsed.telegram.registers, channels: parsed.telegram.channels };
      });
      expect(said, dialect).toContainEqual({ registers, channels });
      expect(encryption).toBe(DIALECT_PORTS[dialect].encrypted ? 'verified' : 'none');
    }
  });

  it('encrypts what it sends, and only the key opens it', async () => {
    const keys = { encryption: Buffer.alloc(16, 7), authentication: AUTHENTICATION_KEY_LUXEMBOURG };
    const meter = await startMeter({ keys });
    const link = tcpLink({ host: HOST, port: portOf(meter) });
    const right = watch(link, { keys });
    const wrong = watch(link, { keys: { ...keys, encryption: Buffer.alloc(16, 8) } });
    await until(() => expect(right.telegrams.length).toBeGreaterThan(1));
    expect(right.telegrams[0]!.encryption).toBe('verified');
    expectTrue(right, meter);
    await until(() => expect(wrong.said).toContain('undecipherable'));
    expect(wrong.telegrams).toEqual([]);
  });
});

describe.skipIf(!hasCommand('socat'))('an emulated meter on a pseudo-terminal', () => {
  it('is read as a serial port, and has nothing old for who comes later (needs socat)', async () => {
    const meter = await startMeter({ ports: [{ pty: { path: link } }] });
    await delay(3_500);
    const openedMs = Date.now();
    const reader = watch(serialLink({ path: link, mode: '115200 8N1' }));
    await until(() => expect(reader.telegrams.length).toBeGreaterThan(2));
    expectTrue(reader, meter);
    expect(reader.telegrams[0]!.meterTime!.epochSeconds * 1_000).toBeGreaterThan(openedMs - 2_000);
    expect(reader.said).toEqual(['receiving']);
    await reader.stop();
    await delay(2_500);
    const again = watch(serialLink({ path: link, mode: '115200 8N1' }));
    const reopenedMs = Date.now();
    await until(() => expect(again.telegrams.length).toBeGreaterThan(1));
    expect(again.telegrams[0]!.meterTime!.epochSeconds * 1_000).toBeGreaterThan(reopenedMs - 2_000);
  });

  it('is read by hes p1 decode, which prints the registers of that second (needs socat)', async () => {
    const meter = await startMeter({ ports: [{ pty: { path: link } }] });
    const decode = spawn(process.execPath, [HES, 'p1', 'decode', link, '--json'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    running.push({ stop: async () => void decode.kill() });
    interface Printed {
      readonly crc: string;
      readonly meterTime: string;
      readonly registers: readonly { readonly obis: string; readonly value: string }[];
    }
    const printed: Printed[] = [];
    createInterface(decode.stdout).on('line', (line) => printed.push(JSON.parse(line)));
    await until(() => expect(printed.filter(({ crc }) => crc === 'valid').length).toBeGreaterThan(1));
    const { meterTime, registers } = printed.find(({ crc }) => crc === 'valid')!;
    const { importWh } = meter.state(Date.parse(meterTime));
    const value = registers.find(({ obis }) => obis === '1-0:1.8.1')!.value;
    expect(Math.round(Number(value) * 1_000)).toBe(importWh[0]);
  });

  it('survives being pulled and plugged in again, three times (needs socat)', async () => {
    const meter = await startMeter({ ports: [{ pty: { path: link } }] });
    const reader = watch(serialLink({ path: link, mode: '115200 8N1' }));
    const expected = ['receiving'];
    await until(() => expect(reader.said).toEqual(expected));
    for (let round = 0; round < 3; round++) {
      meter.faults.unplug(1_000);
      await until(() => expect(reader.said.at(-1)).toBe('unplugged'));
      expect(existsSync(link)).toBe(false);
      expected.push('unplugged', 'receiving');
      await until(() => expect(reader.said).toEqual(expected));
    }
    expectTrue(reader, meter);
  });
});

describe('each fault is seen by the reader as what it is', () => {
  it.each([
    ['noise', 'noise'],
    ['wrong-speed', 'wrong-speed'],
    ['silence', 'silent'],
    ['closed', 'silent'],
  ] as const)('%s, and telegrams afterwards', async (fault, state) => {
    const meter = await startMeter();
    const reader = watch(tcpLink({ host: HOST, port: portOf(meter) }));
    await until(() => expect(reader.said).toEqual(['receiving']));
    meter.faults.begin(fault, { ms: 60_000 });
    await until(() => expect(reader.said.at(-1)).toBe(state));
    expect(meter.faults.standing).toEqual([fault]);
    meter.faults.end(fault);
    await until(() => expect(reader.said.at(-1)).toBe('receiving'));
    expect(meter.faults.standing).toEqual([]);
    expectTrue(reader, meter);
  });

  it('a customer port that was never open', async () => {
    const meter = await startMeter();
    meter.faults.close();
    const reader = watch(tcpLink({ host: HOST, port: portOf(meter) }));
    await until(() => expect(reader.said).toEqual(['port-closed']));
  });

  it('a bridge that is unplugged hangs up, is not there, and comes back at the same port', async () => {
    const meter = await startMeter();
    const port = portOf(meter);
    const reader = watch(tcpLink({ host: HOST, port }));
    await until(() => expect(reader.said).toEqual(['receiving']));
    meter.faults.unplug(1_500);
    await until(() => expect(reader.said).toEqual(['receiving', 'hung-up', 'unreachable', 'receiving']));
    expect(portOf(meter)).toBe(port);
  });

  it('spoilt telegrams are counted and yield nothing', async () => {
    const spoilt: number[] = [];
    const meter = await startMeter({
      onEvent: (event) => {
        if (event.kind === 'telegram' && event.fault !== null) spoilt.push(event.atMs / 1_000);
      },
    });
    const reader = watch(tcpLink({ host: HOST, port: portOf(meter) }));
    await until(() => expect(reader.said).toEqual(['receiving']));
    meter.faults.wrongCrc(2);
    meter.faults.cut();
    meter.faults.garble();
    await until(() => expect(reader.port.status().faults).toEqual({ 'crc-invalid': 3, cut: 1 }));
    await until(() => expect(reader.telegrams.at(-1)!.meterTime!.epochSeconds).toBeGreaterThan(spoilt[3]!));
    const read = new Set(reader.telegrams.map(({ meterTime }) => meterTime!.epochSeconds));
    expect(spoilt.filter((moment) => read.has(moment))).toEqual([]);
    expectTrue(reader, meter);
  });
});

describe('its Modbus interface', () => {
  /** What `hes modbus read --json` prints. */
  interface Read {
    readonly serial: string | null;
    readonly registers: readonly { readonly obis: string; readonly value: string; readonly unit: string }[];
  }

  it.each(PROFILE_NAMES)(
    'shows the household of the P1 port as a %s, read by hes modbus read',
    async (name) => {
      const profile = profileNamed(name);
      const meter = await startMeter({ modbus: [{ at: { tcp: { port: 0 } }, profile }] });
      const endpoint = meter.modbus[0]!.endpoint as { port: number };
      const beforeMs = meter.nowMs;
      const { code, stdout } = await hes(
        ...['modbus', 'read', '--profile', name, '--tcp', `${HOST}:${endpoint.port}`, '--json'],
      );
      expect(code).toBe(0);
      const read = JSON.parse(stdout) as Read;
      const shown = [beforeMs, meter.nowMs].map((atMs) => modbusMeterOf(profile, meter.state(atMs)));
      if (profile.serialNumber !== undefined) expect(read.serial).toBe(shown[0]!.serial);
      for (const { obis } of profile.registers) {
        const printed = Number(read.registers.find((one) => one.obis === obis)!.value);
        const [from, to] = shown.map(({ quantities }) => {
          const { value, scaler } = quantities.find((one) => one.obis === obis)!;
          // Printed in kWh.
          return value * 10 ** (scaler - 3);
        }) as [number, number];
        expect(printed).toBeGreaterThanOrEqual(from - 1e-6);
        expect(printed).toBeLessThanOrEqual(to + 1e-6);
      }
    },
  );

  it.skipIf(!hasCommand('socat'))(
    'speaks RTU on a pseudo-terminal, and is silent when told (needs socat)',
    async () => {
      const profile = profileNamed('sdm630');
      const modbus = [{ at: { pty: { path: link } }, profile, unit: 5 }];
      const meter = await startMeter({ ports: [], modbus });
      const words = ['modbus', 'read', '--profile', 'sdm630', '--serial', link, '--id', '5', '--json'];
      const { code, stdout } = await hes(...words);
      expect(code).toBe(0);
      expect((JSON.parse(stdout) as Read).serial).toBe(modbusMeterOf(profile, meter.state()).serial);
      meter.faults.silence(60_000);
      expect((await hes(...words, '--timeout', '100')).code).toBe(1);
      meter.faults.end('silence');
      expect((await hes(...words)).code).toBe(0);
    },
  );
});

const HES = join(resolve(import.meta.dirname, '../..'), 'gateway/cli/hes.ts');

describe('hes emulate meter', () => {
  it('refuses a TCP port that is taken, by a code', async () => {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, HOST, listening));
    running.push({ stop: () => new Promise((closed) => server.close(() => closed())) });
    const { port } = server.address() as { port: number };
    const taken = emulator('--p1', `tcp:${port}`);
    expect(await taken.ended()).toBe(1);
    expect(taken.stderr).toContain('ERR_EMULATED_METER_LISTEN');
    const modbus = emulator('--modbus', `tcp:${port}`);
    expect(await modbus.ended()).toBe(1);
    expect(modbus.stderr).toContain('ERR_MODBUS_EMULATOR_LISTEN');
  });

  it('refuses a path where something is, and a wrong word, and leaves both alone', async () => {
    writeFileSync(link, 'mine');
    const taken = emulator('--p1', `pty:${link}`);
    expect(await taken.ended()).toBe(1);
    expect(taken.stderr).toContain('ERR_EMULATED_METER_PATH');
    expect(lstatSync(link).isFile()).toBe(true);
    rmSync(link);
    const wrong = emulator('--p1', 'tcp:0', '--fault', 'thunder');
    expect(await wrong.ended()).toBe(2);
    expect(wrong.stderr).toContain('a kind is one of noise');
  });

  it('without socat says what to do, and serves over TCP all the same', async () => {
    const env = { ...process.env, PATH: folder };
    const without = new EmulatorProcess(['--p1', `pty:${link}`], env);
    expect(await without.ended()).toBe(1);
    expect(without.stderr).toMatch(/apt install socat.*ERR_EMULATED_METER_SOCAT/);
    const tcp = new EmulatorProcess(['--p1', 'tcp:0'], env);
    await until(() => expect(tcp.events[0]).toMatchObject({ event: 'started', simulated: true }));
    expect(await tcp.kill('SIGTERM')).toBe(0);
  });

  it.skipIf(!hasCommand('socat')).each(['SIGTERM', 'SIGINT'] as const)(
    'leaves nothing behind after %s: no link, no listener, no process (needs socat)',
    async (signal) => {
      const rtu = join(folder, 'rtu');
      const meter = emulator('--p1', `pty:${link}`, '--p1', 'tcp:0', '--modbus', `rtu:${rtu}`);
      await until(() => expect(meter.events[0]).toMatchObject({ event: 'started', simulated: true }));
      const p1 = meter.events[0]!['p1'] as readonly { kind: string; port: number }[];
      const reader = watch(tcpLink({ host: HOST, port: p1[1]!.port }));
      await until(() => expect(reader.said).toEqual(['receiving']));
      expect([link, rtu].map((path) => lstatSync(path).isSymbolicLink())).toEqual([true, true]);
      expect(await meter.kill(signal)).toBe(0);
      expect(meter.events.at(-1)).toMatchObject({ event: 'stopped' });
      expect(readdirSync(folder)).toEqual([]);
      await until(() => expect(reader.said.at(-1)).toBe('unreachable'));
    },
  );

  it.skipIf(!hasCommand('socat'))('takes the place of one that was killed (needs socat)', async () => {
    const first = emulator('--p1', `pty:${link}`);
    await until(() => expect(first.events).toHaveLength(1));
    await first.kill('SIGKILL');
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    const second = emulator('--p1', `pty:${link}`);
    await until(() => expect(second.events).toHaveLength(1));
    const reader = watch(serialLink({ path: link }));
    await until(() => expect(reader.said).toEqual(['receiving']));
  });

  it('tells of ordered faults as they begin and end', async () => {
    const meter = emulator('--p1', 'tcp:0', '--fault', 'silence:500ms@1s', '--fault', 'closed@2s');
    await until(() => expect(meter.events).toHaveLength(4));
    expect(meter.events.slice(1)).toMatchObject([
      { event: 'fault', fault: 'silence', state: 'begun' },
      { event: 'fault', fault: 'silence', state: 'ended' },
      { event: 'fault', fault: 'closed', state: 'begun' },
    ]);
  });
});

describe.skipIf(!hasCommand('socat'))('its display on a terminal', () => {
  const LEAVE = '\x1b[?25h\x1b[?1049l';

  /** The emulator with a terminal of its own: socat makes one, hands on what is shown and types what it is told. */
  function onTerminal(words: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const command = [process.execPath, HES, 'emulate', 'meter', ...words]
      .map((word) => word.replaceAll(/[:,]/g, '\\$&'))
      .join(' ');
    const socat = spawn('socat', ['-t1', 'STDIO', `EXEC:${command},pty,setsid,ctty,stderr,echo=0`], {
      env: { ...process.env, TERM: 'xterm', ...env },
    });
    const seen = { text: '' };
    socat.stdout.on('data', (text: Buffer) => {
      seen.text += text.toString();
    });
    const ended = new Promise<number | null>((resolve) => socat.once('close', resolve));
    running.push({
      stop: async () => {
        socat.kill('SIGKILL');
        await ended;
      },
    });
    return { seen, type: (keys: string) => socat.stdin.write(keys), ended };
  }

  it('shows the registers, turns pages by the button, makes faults, and restores it (needs socat)', async () => {
    const { seen, type, ended } = onTerminal(['--p1', 'tcp:0', '--message', 'Bonjour']);
    await until(() => expect(seen.text).toContain('space: button'));
    expect(seen.text).toContain('\x1b[?1049h');
    expect(seen.text).toContain('SIMULATED METER');
    expect(seen.text).toMatch(/Message: Bonjour/);
    await until(() => expect(seen.text).toMatch(/│ 1\.8\.1 .*T[12]/));
    for (let press = 0; press < 4; press++) type(' ');
    await until(() => expect(seen.text).toMatch(/│ (1|2)\.7\.0 |│ 1\.[46]\.0 /));
    type('f');
    await until(() => expect(seen.text).toContain('n noise'));
    type('p');
    await until(() => expect(seen.text).toContain('P1 closed'));
    expect(seen.text).toContain('Faults: closed');
    type('q');
    expect(await ended).toBe(0);
    expect(seen.text.endsWith(LEAVE)).toBe(true);
  });

  it('restores it after Ctrl-C too (needs socat)', async () => {
    const { seen, type, ended } = onTerminal(['--p1', 'tcp:0']);
    await until(() => expect(seen.text).toContain('space: button'));
    type('\x03');
    expect(await ended).toBe(0);
    expect(seen.text.endsWith(LEAVE)).toBe(true);
  });

  it('restores it after a crash too, and removes the link (needs socat)', async () => {
    const crash = 'setTimeout(() => { throw new Error("a defect"); }, 4000)';
    const { seen, ended } = onTerminal(['--p1', `pty:${link}`], {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(crash)}`,
    });
    await until(() => expect(seen.text).toContain(`P1 at ${link}`));
    expect(existsSync(link)).toBe(true);
    await ended;
    expect(seen.text).toContain('a defect');
    expect(seen.text).toContain(LEAVE);
    // What went wrong is said after that: on the other screen nobody would see it.
    expect(seen.text.indexOf('a defect')).toBeGreaterThan(seen.text.indexOf(LEAVE));
    expect(readdirSync(folder)).toEqual([]);
  });
});
