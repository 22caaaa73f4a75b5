import { connect, createServer } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { ModbusBus } from '../../gateway/edge/modbus/bus.ts';
import { profileNamed } from '../../gateway/edge/modbus/profiles.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { ModbusFault } from './faults.ts';
import { type Bench, openBench, TEST_ANSWER_MS, written } from './testing/bench.ts';

const sdm630 = profileNamed('sdm630');
const garbage = Buffer.from('this is no Modbus frame at all, and long enough for one');

let bench: Bench;
afterEach(() => bench.stop());

const WIRES = [
  ['Modbus TCP', false],
  ['RTU frames', true],
] as const;

describe.each(WIRES)('over %s', (_, rtu) => {
  it.each([
    ['no answer', { kind: 'silence' }, 'ERR_MODBUS_TIMEOUT', 'ERR_MODBUS_TIMEOUT'],
    ['an illegal function', { kind: 'exception', code: 1 }, 'ERR_MODBUS_FUNCTION', 'ERR_MODBUS_FUNCTION'],
    ['a device failure', { kind: 'exception', code: 4 }, 'ERR_MODBUS_DEVICE', 'ERR_MODBUS_DEVICE'],
    ['a busy meter', { kind: 'exception', code: 6 }, 'ERR_MODBUS_BUSY', 'ERR_MODBUS_BUSY'],
    [
      'a gateway without the meter',
      { kind: 'exception', code: 11 },
      'ERR_MODBUS_GATEWAY',
      'ERR_MODBUS_GATEWAY',
    ],
    [
      'an exception that nobody knows',
      { kind: 'exception', code: 99 },
      'ERR_MODBUS_DEVICE',
      'ERR_MODBUS_DEVICE',
    ],
    ['another unit’s answer', { kind: 'otherUnit' }, 'ERR_MODBUS_UNIT', 'ERR_MODBUS_UNIT'],
    ['garbage', { kind: 'garbage', bytes: garbage }, 'ERR_MODBUS_FRAME', 'ERR_MODBUS_CRC'],
    ['half an answer', { kind: 'cut' }, 'ERR_MODBUS_FRAME', 'ERR_MODBUS_CRC'],
    ['an answer that is too short', { kind: 'short' }, 'ERR_MODBUS_FRAME', 'ERR_MODBUS_CRC'],
    ['a connection that is closed', { kind: 'hangUp' }, 'ERR_MODBUS_CLOSED', 'ERR_MODBUS_CLOSED'],
    ['exchanged words', { kind: 'swappedWords' }, 'ERR_MODBUS_IMPLAUSIBLE', 'ERR_MODBUS_IMPLAUSIBLE'],
  ] as [string, ModbusFault, string, string][])(
    'tells %s by its code',
    async (_name, fault, onTcp, onLine) => {
      // Without optional entries, so that no exception is taken for an edition that has fewer registers.
      const profile = { ...sdm630, registers: sdm630.registers.filter(({ optional }) => !optional) };
      bench = await openBench(profile, { rtu });
      bench.device.standing = fault;
      await expect(bench.meter.read()).rejects.toMatchObject({ code: rtu ? onLine : onTcp });
      bench.device.standing = null;
      const { registers, instants } = await bench.meter.read();
      expect(written([...registers, ...instants])).toEqual(
        written(bench.shown.quantities.filter(({ obis }) => !/^1-0:[34]\.8\.0$/.test(obis))),
      );
    },
  );

  it('asks again after a fault that passes, and not after one that stays', async () => {
    bench = await openBench(sdm630, { rtu, attempts: 3 });
    bench.device.faults.push({ kind: 'silence' }, { kind: 'exception', code: 6 });
    expect((await bench.meter.read()).registers).toHaveLength(4);
    bench.device.asked.length = 0;
    await expect(bench.bus.read({ unit: 1, function: 4, address: 0x3000, count: 2 })).rejects.toMatchObject({
      code: 'ERR_MODBUS_ADDRESS',
      context: { attempts: 1 },
    });
    expect(bench.device.asked).toHaveLength(1);
  });

  it('does not take a late answer for the answer to the next question', async () => {
    bench = await openBench(sdm630, { rtu });
    const volts = (at: number) => bench.bus.read({ unit: 1, function: 4, address: 2 * at, count: 2 });
    const first = await volts(0);
    const second = await volts(1);
    expect([...first]).not.toEqual([...second]);
    bench.device.faults.push({ kind: 'late', ms: TEST_ANSWER_MS + 40 });
    await expect(volts(0)).rejects.toMatchObject({ code: 'ERR_MODBUS_TIMEOUT' });
    expect([...(await volts(1))]).toEqual([...second]);
    expect([...(await volts(0))]).toEqual([...first]);
  });

  it('makes no wrong reading of whatever bytes come', async () => {
    bench = await openBench(sdm630, { rtu, answerWithinMs: 150 });
    const right = written(bench.shown.quantities);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        bench.device.faults.push({ kind: 'garbage', bytes });
        const error = await bench.meter.read().then(
          () => null,
          (cause: unknown) => cause,
        );
        expect(isHesError(error)).toBe(true);
        const { registers, instants } = await bench.meter.read().catch(() => bench.meter.read());
        expect(written([...registers, ...instants])).toEqual(right);
      }),
      { seed: 11, numRuns: 12 },
    );
  });
});

describe('a line with a wrong bit', () => {
  it('is told by the checksum', async () => {
    bench = await openBench(sdm630, { rtu: true });
    bench.device.standing = { kind: 'crc' };
    await expect(bench.meter.read()).rejects.toMatchObject({ code: 'ERR_MODBUS_CRC' });
  });
});

describe('a meter that has no value', () => {
  it('makes no reading when it is a register that counts, and leaves out what is optional', async () => {
    bench = await openBench(profileNamed('abb-b23'));
    const all = bench.shown;
    const without = (...codes: string[]) => ({
      ...all,
      quantities: all.quantities.filter(({ obis }) => !codes.includes(obis)),
    });
    bench.shown = without('1-0:2.8.0', '1-0:52.7.0');
    const { registers, missing } = await bench.meter.read();
    expect(missing.toSorted()).toEqual(['1-0:2.8.0', '1-0:52.7.0']);
    expect(registers.map(({ obis }) => obis)).not.toContain('1-0:2.8.0');
    bench.shown = without('1-0:1.8.0');
    await expect(bench.meter.read()).rejects.toMatchObject({ code: 'ERR_MODBUS_INVALID' });
  });

  it.each(['sdm630', 'em340', 'iem3155', 'pac2200'])('says so, and %s is not read as 0', async (name) => {
    const profile = profileNamed(name);
    bench = await openBench(profile);
    const [first] = profile.registers;
    bench.shown = {
      ...bench.shown,
      quantities: bench.shown.quantities.filter(({ obis }) => obis !== first!.obis),
    };
    await expect(bench.meter.read()).rejects.toMatchObject({ code: 'ERR_MODBUS_INVALID' });
  });

  it('is asked no more for optional registers that its edition does not have', async () => {
    const abb = profileNamed('abb-b23');
    const steel = { ...abb, registers: abb.registers.slice(0, 2) };
    bench = await openBench(steel, { read: abb });
    const { registers } = await bench.meter.read();
    expect(registers.map(({ obis }) => obis)).toEqual(['1-0:1.8.0', '1-0:2.8.0']);
    bench.device.asked.length = 0;
    await bench.meter.read();
    expect(bench.device.asked).toHaveLength(2);
  });

  it('is another model than its profile when a register that counts is not there', async () => {
    bench = await openBench(profileNamed('em340'), { read: profileNamed('em24') });
    await expect(bench.meter.read()).rejects.toMatchObject({ code: 'ERR_MODBUS_ADDRESS' });
  });
});

describe('a meter that cannot be reached', () => {
  it('is told by the connection, and again when it is back', async () => {
    bench = await openBench(sdm630);
    const nobody = await new Promise<number>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const { port } = server.address() as { port: number };
        server.close(() => resolve(port));
      });
    });
    const bus = new ModbusBus({ tcp: { host: '127.0.0.1', port: nobody } });
    await expect(bus.read({ unit: 1, function: 4, address: 0, count: 2 })).rejects.toMatchObject({
      code: 'ERR_MODBUS_CONNECT',
    });
    const line = new ModbusBus({
      serial: { path: '/dev/no-such-port', baud: 9600, parity: 'none', stopBits: 1 },
    });
    await expect(line.read({ unit: 1, function: 4, address: 0, count: 2 })).rejects.toMatchObject({
      code: 'ERR_MODBUS_PORT',
    });
  });

  it('does not suffer from a stranger who sends nonsense to it', async () => {
    bench = await openBench(sdm630);
    const stranger = connect(bench.port, '127.0.0.1');
    stranger.write(Buffer.alloc(2_000, 0xff));
    expect((await bench.meter.read()).registers).toHaveLength(4);
    stranger.destroy();
  });
});
