import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { profileNamed } from '../../gateway/edge/modbus/profiles.ts';
import { ModbusDevice } from '../../meter-emulator/modbus/device.ts';
import { registerImage } from '../../meter-emulator/modbus/registers.ts';
import { type ModbusServer, serveModbusTcp } from '../../meter-emulator/modbus/server.ts';
import { householdShown } from '../../meter-emulator/modbus/testing/bench.ts';

const root = resolve(import.meta.dirname, '../..');

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function hes(...words: string[]): Promise<Run> {
  try {
    const run = promisify(execFile);
    return { code: 0, ...(await run(process.execPath, [join(root, 'gateway/cli/hes.ts'), ...words])) };
  } catch (error) {
    return error as Run;
  }
}

describe('hes modbus', () => {
  const profile = profileNamed('em340');
  const shown = householdShown(profile);
  const folder = mkdtempSync(join(tmpdir(), 'hes-modbus-'));
  let server: ModbusServer;
  let place: string;

  beforeAll(async () => {
    const image = registerImage(profile, shown);
    server = await serveModbusTcp([new ModbusDevice({ profile, unit: 4, image: () => image })]);
    place = `127.0.0.1:${server.port}`;
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  it('says which unit does not answer, by a code, with exit code 1', async () => {
    const { code, stderr } = await hes(
      'modbus',
      'read',
      '--profile',
      'em340',
      '--tcp',
      place,
      '--timeout',
      '100',
    );
    expect(code).toBe(1);
    expect(stderr).toContain('ERR_MODBUS_TIMEOUT');
  });

  it('refuses a profile file with an unknown key by its path, with exit code 78', async () => {
    const { stdout } = await hes('modbus', 'profiles', 'em340');
    const file = join(folder, 'wrong.yaml');
    writeFileSync(file, stdout.replace('obis: 1-0:1.8.0', 'obis: 1-0:1.8.0\n    sclaer: 2'));
    const { code, stderr } = await hes('modbus', 'read', '--profile-file', file, '--tcp', place);
    expect([code, stderr]).toEqual([78, expect.stringContaining('unknown key registers[0].sclaer')]);
  });

  it('reads a meter by a profile of one’s own, as JSON', async () => {
    const { stdout: yaml } = await hes('modbus', 'profiles', 'em340');
    const file = join(folder, 'own.yaml');
    writeFileSync(file, yaml.replace('name: em340', 'name: cellar'));
    const { code, stdout } = await hes(
      ...['modbus', 'read', '--profile-file', file, '--tcp', place, '--id', '4', '--json'],
    );
    expect(code).toBe(0);
    const read = JSON.parse(stdout) as { profile: string; serial: string; registers: { value: string }[] };
    const energy = shown.quantities.find(({ obis }) => obis === '1-0:1.8.0')!;
    expect(read).toMatchObject({ profile: 'cellar', serial: shown.serial });
    expect(Math.round(Number(read.registers[0]!.value) * 10)).toBe(energy.value);
  });

  it('finds the meter by a scan', async () => {
    const { code, stdout } = await hes(
      ...['modbus', 'scan', '--tcp', place, '--ids', '3-5', '--timeout', '100', '--json'],
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ unit: 4, matches: [{ profile: 'em340', identified: true }] });
    expect((await hes('modbus', 'scan', '--tcp', place, '--ids', '9', '--timeout', '100')).code).toBe(1);
  });
});
