import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { issueDevice } from '../../../pki/development/development.ts';
import type { DeviceIdentity } from '../../../pki/identity.ts';
import type { Command } from '../../../protocol/command/command.ts';
import { signCommand } from '../../../protocol/command/signed.ts';
import type { SignerKey } from '../../../protocol/envelope.ts';
import { COMMAND_SEALED_BYTES_MAX } from '../../../protocol/limits.ts';
import { downTopic, upTopic } from '../../../protocol/topics.ts';
import type { EdgeDevice } from '../device.ts';
import { commandsFor, Office, sealFor, until } from '../testing/commanded.ts';
import { deviceBench, liveDays } from '../testing/device.ts';
import { CONNACK, HostileHeadEnd, type Move, publishOf, subackOf } from '../testing/hostile.ts';
import { FARYS, ORES } from '../testing/meters.ts';
import { COMMANDS_WAITING_MAX } from './command-lane.ts';
import { INBOUND_BYTES_MAX } from './inbound.ts';

const bench = deviceBench();
let office: Office;
let hostile: HostileHeadEnd;
beforeAll(async () => {
  office = new Office(bench.headEnd.pki, bench.clock);
  hostile = await HostileHeadEnd.listen(bench.headEnd.pki);
});
afterAll(() => hostile.stop());
afterEach(() => {
  hostile.script = {};
  hostile.packets.length = 0;
});

const limits = { schedule: { backoffBaseMs: 1, jitterMs: 0 } };
const command = (change: Partial<Command> = {}): Command =>
  office.command(bench.identity.device, 'p1.set', { on: false }, change);
const count = (name: string): number => bench.counters.get(name);
const outcomes = (): string[] => bench.headEnd.results.map(({ outcome }) => outcome.code ?? outcome.state);

async function staying(): Promise<{ device: EdgeDevice; done: () => number }> {
  const commands = commandsFor(bench.identity, { stay: true });
  const device = await bench.startDevice(commands, { limits });
  await device.wake();
  return { device, done: () => commands.hardware.done.length };
}

/** Whatever came before was looked at once this one is answered. */
async function answered(results: number): Promise<void> {
  const { headEnd, identity } = bench;
  headEnd.send(ORES, identity.device, sealFor(identity, ORES, office.sign(command())));
  await until(() => headEnd.results.length === results);
}

const signerOfDevice = ({ sign }: DeviceIdentity): SignerKey => ({
  privateKey: createPrivateKey(sign.key),
  certificate: new X509Certificate(sign.certificate).raw,
});

describe('what comes by a topic of commands and is none', () => {
  test.each<[string, () => Uint8Array, string]>([
    ['nothing', () => new Uint8Array(0), 'ERR_ENVELOPE_SHAPE'],
    ['noise', () => randomBytes(800), 'ERR_ENVELOPE_SHAPE'],
    ['noise of the largest size', () => randomBytes(COMMAND_SEALED_BYTES_MAX), 'ERR_ENVELOPE_SHAPE'],
    ['more than a command may have', () => randomBytes(COMMAND_SEALED_BYTES_MAX + 1), 'ERR_ENVELOPE_SIZE'],
    ['what is sealed and no command', () => sealFor(bench.identity, ORES, randomBytes(600)), ''],
    [
      'one that was altered',
      () => {
        const sealed = sealFor(bench.identity, ORES, office.sign(command()));
        return sealed.with(200, sealed[200]! ^ 1);
      },
      'ERR_ENVELOPE_OPEN',
    ],
    [
      'one of another tenant’s topic',
      () => sealFor(bench.identity, FARYS, office.sign(command())),
      'ERR_ENVELOPE_OPEN',
    ],
    [
      'one that is sealed to another device',
      () => {
        const other = issueDevice(bench.headEnd.pki, { home: ORES, guests: [], nowMs: Date.now() });
        const ofOther = office.command(other.device, 'p1.set', { on: false });
        return sealFor(other, ORES, office.sign(ofOther));
      },
      'ERR_ENVELOPE_KID',
    ],
  ])('%s does nothing, and the next one is obeyed', async (_name, payload, code) => {
    const { device, done } = await staying();
    bench.headEnd.send(ORES, bench.identity.device, payload());
    await answered(1);
    expect(done()).toBe(1);
    expect(outcomes()).toEqual(['executed']);
    if (code !== '') expect(count(`edge.command.unopened.${code}`)).toBe(1);
    expect(device.connected).toBe(true);
  });

  test.each([
    ['of another device', () => downTopic(ORES, '00112233445566ff' as never, 'command')],
    ['of a tenant that has nothing here', () => downTopic('resa' as never, bench.identity.device, 'command')],
    ['that goes up', () => upTopic(ORES, bench.identity.device, 'result')],
    ['that is none', () => '$SYS/command'],
  ])('a topic %s is not looked at', async (_name, topic) => {
    const { device, done } = await staying();
    const sealed = sealFor(bench.identity, ORES, office.sign(command()));
    bench.headEnd.send(ORES, bench.identity.device, sealed, topic());
    await answered(1);
    expect(done()).toBe(1);
    expect(await device.wake()).toMatchObject({ commands: 1, receiptsIgnored: 1 });
  });
});

describe('a command that nobody may give', () => {
  test.each<[string, () => Command | Uint8Array, string]>([
    ['is for another device', () => command({ device: '00112233445566ff' as never }), 'signature'],
    ['is of another tenant', () => command({ tenant: FARYS }), 'signer'],
    ['has expired', () => command({ notBefore: 1_000, expiry: 2_000 }), 'expired'],
    [
      'is of a role that may not',
      () => signCommand({ command: command(), signer: office.signer(ORES, 'marco') }),
      'role',
    ],
    [
      'is signed by another tenant’s people',
      () => signCommand({ command: command(), signer: office.signer(FARYS, 'operator') }),
      'signer',
    ],
    [
      'is signed by a device',
      () => {
        const device = issueDevice(bench.headEnd.pki, { home: ORES, guests: [], nowMs: Date.now() });
        return signCommand({ command: command(), signer: signerOfDevice(device) });
      },
      'signer',
    ],
    [
      'needs two people and has one',
      () => {
        const critical = office.command(bench.identity.device, 'breaker.open', { cause: 'works' });
        return signCommand({ command: critical, signer: office.signer(ORES, 'operator') });
      },
      'signature',
    ],
  ])('because it %s is refused, and nothing is done', async (_name, make, code) => {
    const { done } = await staying();
    const made = make();
    const signed = made instanceof Uint8Array ? made : office.sign(made);
    bench.headEnd.send(ORES, bench.identity.device, sealFor(bench.identity, ORES, signed));
    await until(() => bench.headEnd.results.length === 1);
    expect(outcomes()).toEqual([code]);
    expect(done()).toBe(0);
  });

  test('is every one where the device knows no office', async () => {
    const { office: _, ...identity } = bench.identity;
    const commands = commandsFor(identity, { stay: true });
    const device = await bench.startDevice(commands, { limits, identity });
    await device.wake();
    bench.headEnd.send(ORES, identity.device, sealFor(identity, ORES, office.sign(command())));
    await until(() => bench.headEnd.results.length === 1);
    expect(outcomes()).toEqual(['signer']);
    expect(commands.hardware.done).toEqual([]);
  });

  test('is every one once its people’s certificates have ended', async () => {
    const { done } = await staying();
    const sealed = (): Uint8Array => sealFor(bench.identity, ORES, office.sign(command()));
    const later = sealed();
    bench.headEnd.send(ORES, bench.identity.device, sealed());
    await until(() => bench.headEnd.results.length === 1);
    const nowMs = bench.clock.nowMs();
    bench.clock.advance(20 * 366 * 86_400_000);
    bench.headEnd.send(ORES, bench.identity.device, later);
    await until(() => count('edge.command.refused') === 1);
    bench.clock.set(nowMs);
    expect(done()).toBe(1);
  });

  test('comes again and again, and is executed once', async () => {
    const { device, done } = await staying();
    const sealed = sealFor(bench.identity, ORES, office.sign(command()));
    for (let time = 1; time <= 6; time++) {
      bench.headEnd.send(ORES, bench.identity.device, sealed);
      await until(() => bench.headEnd.results.length === time && device.commandStatus()!.waiting === 0);
    }
    expect(done()).toBe(1);
    expect(new Set(outcomes())).toEqual(new Set(['executed']));
    expect(new Set(bench.headEnd.results.map(({ result }) => result.sequence)).size).toBe(1);
  });
});

describe('a head-end gone wild', () => {
  test('that sends a thousand commands at once costs a device a bounded few, and it goes on', async () => {
    const { device, done } = await staying();
    const sealed = Array.from({ length: 20 }, () => sealFor(bench.identity, ORES, office.sign(command())));
    for (let round = 0; round < 50; round++)
      for (const one of sealed) bench.headEnd.send(ORES, bench.identity.device, one);
    const ends = ['executed', 'refused', 'failed', 'dropped'].map((end) => `edge.command.${end}`);
    await until(() => ends.reduce((sum, end) => sum + count(end), 0) === 1_000);
    await until(() => device.commandStatus()!.waiting === 0);
    expect(count('edge.command.dropped')).toBeGreaterThan(0);
    expect(done()).toBeLessThanOrEqual(20);
    expect(done()).toBeGreaterThanOrEqual(COMMANDS_WAITING_MAX);
    await liveDays(device, 1, { guest: false });
    expect(await device.wake()).toMatchObject({ delivered: 1, failed: 0 });
  });

  const suback =
    (codes: readonly number[]): Move =>
    (socket, packet) =>
      socket.write(subackOf(packet, codes));
  test.each<[string, Move, string | null]>([
    ['with a code too few', suback([1]), 'ERR_UPLINK_PROTOCOL'],
    ['with a code too many', suback([1, 1, 1]), 'ERR_UPLINK_PROTOCOL'],
    ['of another message', '90 04 fff0 01 01', null],
    ['that says no', suback([0x80, 0x80]), null],
    ['that says neither yes nor no', suback([7, 7]), null],
    [
      'and a packet beyond the bound',
      (socket) => socket.write(publishOf('t', new Uint8Array(INBOUND_BYTES_MAX))),
      'ERR_UPLINK_PROTOCOL',
    ],
    ['and an end', 'end', null],
  ])('that answers a SUBSCRIBE %s costs a device nothing but the wake', async (_name, subscribe, code) => {
    const device = await bench.startDevice(commandsFor(bench.identity, { everyMs: 1 }), {
      headEnd: { host: '127.0.0.1', port: hostile.port },
      limits: { ...limits, uplink: { answerTimeoutMs: 100, closeTimeoutMs: 50 } },
    });
    hostile.script = { connect: CONNACK as Move, subscribe };
    await device.wake();
    await until(() => hostile.connected === 0);
    expect(device.connected).toBe(false);
    expect(device.nextWakeMs()).not.toBeNull();
    if (code !== null) expect(hostile.packets.map(({ type }) => type)).not.toContain(14);
  });

  test('that answers a SUBSCRIBE which was none is one that does not know MQTT', async () => {
    const device = bench.openDevice({
      headEnd: { host: '127.0.0.1', port: hostile.port },
      limits: { uplink: { answerTimeoutMs: 200, closeTimeoutMs: 50 } },
    });
    await liveDays(device, 1, { guest: false });
    hostile.script = { connect: CONNACK as Move, publish: '90 03 0001 01' };
    const { failure } = await device.wake();
    expect(failure?.code).toBe('ERR_UPLINK_PROTOCOL');
  });
});
