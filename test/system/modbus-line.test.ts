import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModbusBus } from '../../gateway/edge/modbus/bus.ts';
import type { SerialEndpoint } from '../../gateway/edge/modbus/endpoint.ts';
import { ModbusMeter } from '../../gateway/edge/modbus/meter.ts';
import { builtInProfiles, profileNamed } from '../../gateway/edge/modbus/profiles.ts';
import { scan } from '../../gateway/edge/modbus/scan.ts';
import { ModbusDevice } from '../../meter-emulator/modbus/device.ts';
import { registerImage } from '../../meter-emulator/modbus/registers.ts';
import { type ModbusServer, serveModbusSerial } from '../../meter-emulator/modbus/server.ts';
import { householdShown, written } from '../../meter-emulator/modbus/testing/bench.ts';
import { until } from '../support/processes.ts';
import { hasCommand } from '../support/tools.ts';

/** A line between two pseudo-terminals: the edge opens one end, the emulated meters the other. */
describe.skipIf(!hasCommand('socat'))('Modbus RTU on a serial line (needs socat)', () => {
  let folder: string;
  let socat: ChildProcess;
  let held: number[];
  let server: ModbusServer | undefined;

  const end = (name: string): SerialEndpoint => ({
    path: join(folder, name),
    baud: 9_600,
    parity: 'none',
    stopBits: 1,
  });

  async function lay(): Promise<void> {
    socat = spawn(
      'socat',
      ['edge', 'meter'].map((name) => `pty,raw,echo=0,link=${join(folder, name)}`),
      {
        stdio: 'ignore',
      },
    );
    await until('the line is there', () => existsSync(end('edge').path) && existsSync(end('meter').path));
    // An open end keeps socat from ending when the other program closes its own.
    held = ['edge', 'meter'].map((name) => openSync(end(name).path, 'r+'));
  }

  function cutLine(): void {
    for (const descriptor of held) closeSync(descriptor);
    held = [];
    socat.kill('SIGKILL');
  }

  const emulated = (name: string, unit: number): ModbusDevice => {
    const profile = profileNamed(name);
    const image = registerImage(profile, householdShown(profile));
    return new ModbusDevice({ profile, unit, image: () => image });
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hes-line-'));
    await lay();
  });
  afterEach(async () => {
    await server?.stop();
    server = undefined;
    cutLine();
    rmSync(folder, { recursive: true, force: true });
  });

  it('reads every profile exactly, all of them units of one line', async () => {
    const names = builtInProfiles().map(({ name }) => name);
    server = await serveModbusSerial(
      names.map((name, index) => emulated(name, index + 1)),
      end('meter'),
    );
    const bus = new ModbusBus({ serial: end('edge') });
    try {
      for (const [index, name] of names.entries()) {
        const profile = profileNamed(name);
        const { registers, instants } = await new ModbusMeter(bus, profile, index + 1).read();
        expect(written([...registers, ...instants])).toEqual(written(householdShown(profile).quantities));
      }
    } finally {
      await bus.close();
    }
  });

  it('tells silence, a wrong checksum and another unit apart, and reads on when they are over', async () => {
    const device = emulated('sdm630', 1);
    server = await serveModbusSerial([device], end('meter'));
    const bus = new ModbusBus({ serial: end('edge') }, { attempts: 1, answerWithinMs: 200 });
    const meter = new ModbusMeter(bus, profileNamed('sdm630'), 1);
    try {
      for (const [fault, code] of [
        [{ kind: 'silence' }, 'ERR_MODBUS_TIMEOUT'],
        [{ kind: 'crc' }, 'ERR_MODBUS_CRC'],
        [{ kind: 'otherUnit' }, 'ERR_MODBUS_UNIT'],
        [{ kind: 'garbage', bytes: Buffer.alloc(64, 0x55) }, 'ERR_MODBUS_CRC'],
      ] as const) {
        device.faults.push(fault);
        await expect(meter.read()).rejects.toMatchObject({ code });
        expect((await meter.read()).registers).toHaveLength(4);
      }
    } finally {
      await bus.close();
    }
  });

  it('finds a meter by a scan, and is back after the adapter was pulled out and put in again', async () => {
    server = await serveModbusSerial([emulated('abb-b23', 3)], end('meter'));
    const found = [];
    for await (const one of scan({
      endpoints: [{ serial: end('edge') }],
      units: [1, 2, 3],
      profiles: builtInProfiles(),
      answerWithinMs: 100,
    }))
      found.push([one.unit, one.matches.map(({ profile }) => profile)]);
    expect(found).toEqual([[3, ['abb-b23']]]);

    const bus = new ModbusBus({ serial: end('edge') }, { attempts: 2, answerWithinMs: 200 });
    const meter = new ModbusMeter(bus, profileNamed('abb-b23'), 3);
    expect((await meter.read()).registers.length).toBeGreaterThan(0);
    await server.stop();
    cutLine();
    rmSync(end('edge').path, { force: true });
    rmSync(end('meter').path, { force: true });
    await expect(meter.read()).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_MODBUS_(PORT|CLOSED)$/),
    });
    await lay();
    server = await serveModbusSerial([emulated('abb-b23', 3)], end('meter'));
    expect((await meter.read()).registers.length).toBeGreaterThan(0);
    await bus.close();
  });
});
