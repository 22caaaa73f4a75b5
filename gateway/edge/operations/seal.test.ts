import { describe, expect, it } from 'vitest';
import { verifyOutcome } from '../../../protocol/command/outcome.ts';
import { decodeResult } from '../../../protocol/command/result.ts';
import { openCommand, sealCommand } from '../../../protocol/command/sealed.ts';
import { openUplink, readSigner, verifyUplink } from '../../../protocol/envelope.ts';
import { parseObisCode } from '../../../protocol/obis.ts';
import type { MeterReading } from '../../../protocol/reading.ts';
import {
  SAMPLE_ELECTRICITY,
  SAMPLE_WATER,
  sampleOperator,
  sampleSigner,
} from '../../../protocol/testing/samples.ts';
import type { OperationResult } from './operations.ts';
import { sealResult } from './seal.ts';
import { testMeter } from './testing/meter.ts';
import { commandOf, DEVICE, FARYS, ORES, signed } from './testing/people.ts';

const operator = sampleOperator();
const { signer, publicKey } = sampleSigner();
const METERS: readonly MeterReading[] = [SAMPLE_ELECTRICITY, { ...SAMPLE_WATER, channel: 2 }];

/** What a router and a desk make of a result. */
function received(result: OperationResult) {
  const { tenant } = result;
  const { sealed } = sealResult({ result, meters: METERS, signer, recipient: operator.recipient });
  const binding = { tenant, device: DEVICE, kind: 'result' } as const;
  const opened = openUplink({ sealed, binding, keys: [operator.key] });
  expect(Buffer.from(readSigner(opened.signed))).toEqual(Buffer.from(signer.certificate));
  const payload = verifyUplink({ signed: opened.signed, binding, publicKey });
  const { outcome, meters, sequence } = decodeResult(payload);
  expect(sequence).toBe(result.sequence);
  const about = { tenant, device: DEVICE, command: result.id };
  return { outcome: verifyOutcome({ signed: outcome, about, publicKey }), meters };
}

describe('a result', () => {
  it('goes from a sealed command to the desk, and holds no reading where none was asked for', async () => {
    const meter = await testMeter();
    const device = sampleOperator();
    const command = commandOf('breaker.open', { cause: 'works' }, meter.nowMs);
    const binding = { tenant: ORES, device: DEVICE };
    const sealed = sealCommand({ signed: signed(command), binding, recipient: device.recipient });
    const opened = openCommand({ sealed, binding, keys: [device.key] });
    const receipt = await meter.operations.receive({ signed: opened, tenant: ORES }, meter.nowMs);
    expect(receipt.answered).toBe(true);
    const { outcome, meters } = received(meter.operations.results()[0]!);
    expect(outcome).toMatchObject({ command: command.id, state: 'executed', code: null });
    expect(meters).toEqual([]);
    await meter.end();
  });

  it('holds what read.now asked for: registers of the tenant’s own channels, and nothing beside', async () => {
    const meter = await testMeter();
    const one = SAMPLE_ELECTRICITY.registers[0]!;
    await meter.outcome(commandOf('read.now', { registers: [one.obis] }, meter.nowMs));
    await meter.outcome(commandOf('read.now', { registers: [] }, meter.nowMs, { tenant: FARYS }), 'wim');
    const [home, guest] = meter.operations.results().map(received);
    expect(home!.meters).toEqual([
      { ...SAMPLE_ELECTRICITY, registers: [one], profiles: [], peaks: [], extremes: [] },
    ]);
    expect(guest!.meters.map(({ channel, medium }) => [channel, medium])).toEqual([[2, 'water']]);
    expect(guest!.meters[0]!.registers).toEqual(SAMPLE_WATER.registers);
    await meter.outcome(commandOf('read.now', { registers: [parseObisCode('1-0:99.1.0')] }, meter.nowMs));
    expect(received(meter.operations.results()[2]!).meters).toEqual([]);
    await meter.end();
  });
});
