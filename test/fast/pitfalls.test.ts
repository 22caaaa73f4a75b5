import { afterEach, describe, expect, it } from 'vitest';
import { decodeFrame } from '../../gateway/bus/local/frame.ts';
import { deskWorld, METER } from '../../gateway/desk/testing/world.ts';
import { localDay } from '../../gateway/desk/time.ts';
import { dayAfter, dayNamed } from '../../gateway/edge/days/calendar.ts';
import { EMUCS_1_7_1, sealed } from '../../gateway/edge/p1/example.ts';
import { parseTelegramText } from '../../gateway/edge/p1/parse.ts';
import type { P1Telegram } from '../../gateway/edge/p1/telegram.ts';
import { isoTime } from '../../gateway/edge/p1/time.ts';
import { routerConfig } from '../../gateway/router/config.ts';
import { parseConfig } from '../../gateway/runtime/config.ts';
import { encodeCommand } from '../../protocol/command/command.ts';
import { argumentsFromText, completeArguments } from '../../protocol/command/complete.ts';
import { parseDeviceUri, parseTenantId } from '../../protocol/identity.ts';
import { encodeDailyIndex } from '../../protocol/payload.ts';
import { sampleCommand } from '../../protocol/testing/command-samples.ts';
import { SAMPLE_ELECTRICITY, SAMPLE_INDEX } from '../../protocol/testing/samples.ts';
import { parseTopic } from '../../protocol/topics.ts';

/**
 * Known bugs of other head-ends and parsers, each as a test of ours. The wider tests of each stand beside the code:
 * docs/proofs.md says where.
 */

function read(lines: readonly string[]): P1Telegram {
  const outcome = parseTelegramText(sealed(lines));
  if (!outcome.ok) throw new Error(outcome.fault);
  return outcome.telegram;
}

describe('ThingsBoard: a command', () => {
  it('is not shown as delivered while its device is off-line, however often it was tried', async () => {
    const world = await deskWorld();
    const command = world.command('read.now');
    await world.propose(command);
    for (let attempt = 0; attempt < 3; attempt++) {
      // Written as sent before it leaves; then the bus says that nobody is there.
      await world.desk.claim(METER);
      await world.desk.returned(command.id);
      expect(await world.store.command(command.id)).toMatchObject({ state: 'queued', attempts: 0 });
    }
    world.clock.set(command.expiry * 1_000);
    await world.desk.expire();
    // Never sent: not unknown, and certainly not executed.
    expect(await world.store.command(command.id)).toMatchObject({ state: 'expired', code: null });
    await world.close();
  });

  it('whose answer comes before the word that it was written does not block those behind it', async () => {
    const world = await deskWorld();
    const first = world.command('read.now');
    const second = world.command('p1.set');
    for (const each of [first, second]) await world.propose(each);
    const dispatch = await world.desk.claim(METER);
    // The result overtakes whatever the carrier has to say of its own part; then even that is wrong.
    await world.says(dispatch!.command);
    await world.desk.returned(dispatch!.command.id);
    expect((await world.store.command(dispatch!.command.id))?.state).toBe('executed');
    const next = await world.desk.claim(METER);
    await world.says(next!.command);
    expect([dispatch!.command.id, next!.command.id].sort()).toEqual([first.id, second.id].sort());
    expect(await world.store.openCounts()).toEqual({});
    await world.close();
  });

  it('that a device had no time for is tried again until it has', async () => {
    const world = await deskWorld();
    const command = world.command('read.now');
    await world.propose(command);
    for (const code of ['busy', 'busy', null] as const) {
      expect((await world.desk.claim(METER))?.command.id).toBe(command.id);
      await world.says(command, code);
      // At once it would be busy again.
      if (code !== null) expect(await world.desk.claim(METER)).toBeUndefined();
      world.clock.advance(3_600_000);
    }
    expect(await world.store.command(command.id)).toMatchObject({ state: 'executed', attempts: 3 });
    await world.close();
  });

  it('that was sent and never answered ends as unknown, and what comes later stands beside it', async () => {
    const world = await deskWorld();
    const command = world.command('read.now');
    await world.propose(command);
    await world.desk.claim(METER);
    world.clock.advance(15 * 60_000);
    await world.desk.expire();
    await world.says(command);
    const late = { state: 'executed', code: null };
    expect(await world.store.command(command.id)).toMatchObject({ state: 'unknown', late });
    await world.close();
  });

  it('is not lost on a reconnect: all that waited go, each once, in the order of their urgency', async () => {
    const world = await deskWorld();
    const types = ['display.message', 'read.now', 'breaker.arm', 'p1.set', 'read.now'] as const;
    for (const type of types) await world.propose(world.command(type));
    const executed: string[] = [];
    for (let contact = 0; executed.length < types.length; contact++) {
      const dispatch = await world.desk.claim(METER);
      // Every other contact breaks before anything is written.
      if (contact % 2 === 0) await world.desk.returned(dispatch!.command.id);
      else {
        await world.says(dispatch!.command);
        executed.push(dispatch!.command.type);
      }
    }
    expect(executed).toEqual(['breaker.arm', 'read.now', 'p1.set', 'read.now', 'display.message']);
    expect(await world.desk.claim(METER)).toBeUndefined();
    await world.close();
  });
});

describe('CitrineOS: without a tenant there is none', () => {
  it.each([
    ['a name', (tenant: unknown) => parseTenantId(tenant)],
    ['a topic', (tenant: unknown) => parseTopic(`t/${tenant ?? ''}/0123456789abcdef/up/index`)],
    ['a command', (tenant: unknown) => encodeCommand(sampleCommand('p1.set', { tenant: tenant as never }))],
    ['a router', (tenant: unknown) => parseConfig(routerConfig, { tenant })],
  ])('%s of nobody is refused, and nobody’s place is taken', (_, make) => {
    for (const tenant of [undefined, null, '', 0]) expect(() => make(tenant), String(tenant)).toThrow();
  });

  it('a certificate that names none names no device', () => {
    for (const uri of ['urn:hes::device:0123456789abcdef', 'urn:hes:device:0123456789abcdef', ''])
      expect(parseDeviceUri(uri)).toBeUndefined();
  });

  it('a peer of the bus that says none is none', () => {
    for (const tenant of ['', ' ', 'ORES', '\0\0\0\0']) {
      const hello = Buffer.from(`\x01\x01${tenant}`, 'latin1');
      expect(() => decodeFrame(hello, 0, hello.length)).toThrow();
    }
  });

  it('a reading that names another tenant than its topic, or none, is not sealed for anybody', () => {
    for (const tenant of [undefined, null, '', 'default_'])
      expect(() => encodeDailyIndex({ ...SAMPLE_INDEX, tenant: tenant as never })).toThrow();
  });
});

describe('P1 parsers: a local time is not taken for UTC', () => {
  const zone = process.env['TZ'];
  afterEach(() => {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  });
  /** Some of everything that shows or reads a time, as one text. */
  const everything = (): string => {
    const telegram = read(EMUCS_1_7_1);
    const world = [telegram.meterTime, telegram.peaks[1]!.time, telegram.channels[0]!.readings[0]!.time];
    const day = dayNamed('2026-10-25');
    return JSON.stringify([
      world.map((time) => isoTime(time!)),
      // The day with 25 hours.
      [day.start, dayAfter(day, 1).start - day.start, localDay(day.start), localDay(day.start - 1)],
      argumentsFromText('clock.sync', { time: '2026-10-25T02:30:00+02:00' }),
    ]);
  };

  it('is read the same wherever the host is, over the day of the clock change too', () => {
    const offsets = new Set<number>();
    const texts = ['UTC', 'Europe/Brussels', 'America/New_York', 'Pacific/Kiritimati'].map((name) => {
      process.env['TZ'] = name;
      offsets.add(new Date(0).getTimezoneOffset());
      return everything();
    });
    expect(offsets.size).toBeGreaterThan(2);
    expect(new Set(texts).size).toBe(1);
    expect(JSON.parse(texts[0]!)).toEqual([
      ['2023-02-14T10:15:30+01:00', '2022-12-24T18:30:00+01:00', '2023-02-14T10:10:01+01:00'],
      [Date.UTC(2026, 9, 24, 22) / 1_000, 25 * 3_600, '2026-10-25', '2026-10-24'],
      { time: Date.UTC(2026, 9, 25, 0, 30) / 1_000 },
    ]);
  });

  it('that a person types is refused without its offset', () => {
    for (const time of ['2026-10-25T02:30:00', '2026-10-25 02:30', '2026-10-25'])
      expect(() => argumentsFromText('clock.sync', { time })).toThrow(
        expect.objectContaining({ code: 'ERR_COMMAND_SCHEMA' }),
      );
  });
});

describe('P1 parsers: what is no number', () => {
  it.each(['NaN', 'nan', '', '-', '.', '*', '00000.0O0', '1e3', 'Infinity'])(
    '%j is absent, and not 0',
    (text) => {
      const lines = EMUCS_1_7_1.map((line) => line.replace(/^(1-0:1\.8\.1)\([^*]*/, `$1(${text}`));
      const telegram = read(lines);
      expect(telegram.registers.map(({ obis }) => obis)).toEqual(['1-0:1.8.2', '1-0:2.8.1', '1-0:2.8.2']);
      expect(telegram.unknown).toHaveLength(1);
    },
  );

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 0.5, null, '0'])(
    '%s is no register, balance or limit',
    (value) => {
      const register = { ...SAMPLE_ELECTRICITY.registers[0]!, value: value as number };
      const meters = [{ ...SAMPLE_ELECTRICITY, registers: [register] }];
      expect(() => encodeDailyIndex({ ...SAMPLE_INDEX, meters })).toThrow();
      const balance = { balanceCents: value as number, asOf: 0, topUpCents: null };
      expect(() => completeArguments('prepayment.balance', balance)).toThrow();
    },
  );
});

describe('P1 parsers: the history of month peaks', () => {
  it('is of thirteen months, each with its own peak, and never a mean of them', () => {
    const months = Array.from({ length: 13 }, (_, at) => ({
      end: `${String(22 + Math.floor((at + 1) / 12)).padStart(2, '0')}${String(((at + 1) % 12) + 1).padStart(2, '0')}`,
      kw: `0${at % 10}.${String(100 + at * 61)}`,
    }));
    const entries = months.map(({ end, kw }) => `(${end}01000000W)(${end}01000000W)(${kw}*kW)`).join('');
    const lines = EMUCS_1_7_1.map((line) =>
      line.startsWith('0-0:98.1.0') ? `0-0:98.1.0(13)(1-0:1.6.0)(1-0:1.6.0)${entries}` : line,
    );
    const { peaks } = read(lines);
    expect(peaks.map(({ value }) => value)).toEqual(months.map(({ kw }) => Math.round(Number(kw) * 1_000)));
    expect(new Set(peaks.map(({ month }) => month)).size).toBe(13);
  });
});
