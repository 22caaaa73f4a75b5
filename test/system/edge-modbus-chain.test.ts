import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dayNamed, QUARTER_SECONDS } from '../../gateway/edge/days/calendar.ts';
import { PROFILE_NAMES, profileNamed } from '../../gateway/edge/modbus/profiles.ts';
import type { ModbusFault } from '../../meter-emulator/modbus/faults.ts';
import { type ChaosResult, ChaosRun } from '../support/edge-chaos.ts';
import { foundIndex } from '../support/edge-records.ts';
import type { Event } from '../support/edge-story.ts';

/**
 * Every built-in Modbus profile through `hes edge run`, front, router and MDM over three days, one of which has 23
 * hours: registers to the last digit that the meter has, and where a meter answers wrongly, is gone or the edge is
 * dead, gaps and no value that no meter showed.
 */
const FROM = '2026-03-28';
const DAYS = 3;
const START = dayNamed(FROM).start;
const HOUR = 4 * QUARTER_SECONDS;

/** What a meter answers while it is damaged: those faults that are noticed at once. */
const FAULTS: readonly ModbusFault[] = [
  { kind: 'exception', code: 4 },
  { kind: 'exception', code: 6 },
  { kind: 'hangUp' },
  { kind: 'short' },
];

const METERS = PROFILE_NAMES.map((profile, at) => ({
  profile,
  serial: String(700_000_000 + at),
  fault: FAULTS[at % FAULTS.length]!,
}));

const event = (what: Event['what'], meter: number, fromHour: number, hours: number): Event => ({
  what,
  from: Math.round(START + fromHour * HOUR + 120),
  until: Math.round(START + (fromHour + hours) * HOUR + 120),
  moment: 'settled',
  which: (meter + 0.5) / METERS.length,
  againMs: null,
});

/** Each meter answers wrongly for some hours of the first day, and is gone over one of the two next midnights. */
const STORY: readonly Event[] = [
  ...METERS.map((_, at) => event('damage', at, 2 + at, 3)),
  ...METERS.map((_, at) => event('unplug', at, at % 2 === 0 ? 22 : 45.5, 1.5 + at / 4)),
  event('kill', 0, 60, 1),
];

describe('every Modbus profile', () => {
  const run = new ChaosRun({ seed: 31, from: FROM, days: DAYS, story: STORY, modbus: METERS });
  let result: ChaosResult;

  beforeAll(async () => {
    result = await run.run();
  }, 300_000);
  afterAll(() => run.stop());

  it('comes to its MDM each day once, with the very registers that its meter showed', () => {
    const { lost, twice, misrouted, invented, closedWrong } = result.judgement;
    expect({ lost, twice, misrouted, invented, closedWrong }).toEqual({
      lost: [],
      twice: [],
      misrouted: [],
      invented: [],
      closedWrong: [],
    });
    const found = [...run.accepted().values()].flat().map(foundIndex);
    for (const { subject, device } of run.accounts) {
      const energies = profileNamed(subject.name).registers.flatMap(({ obis, unit }) =>
        unit === 'Wh' ? [obis] : [],
      );
      const own = found.filter((index) => index.device === device);
      expect(own, subject.name).toHaveLength(DAYS);
      for (const { meters } of own)
        expect([...meters[0]!.registers.keys()], subject.name).toEqual(expect.arrayContaining(energies));
    }
  });

  it('has gaps where its meter answered wrongly, was gone, or the edge was dead, and nowhere a value of its own', () => {
    const { missing, filled, altered, flagged } = result.judgement;
    expect({ missing, filled, altered, flagged }).toEqual({
      missing: [],
      filled: [],
      altered: [],
      flagged: [],
    });
    const { done, tally, counters } = result;
    expect(done).toMatchObject({ damage: METERS.length, unplug: METERS.length, kill: 1 });
    // Of each meter twelve quarter-hours of wrong answers at the least, and those around a midnight.
    expect(tally.gaps).toBeGreaterThan(METERS.length * 16);
    expect(tally.undecided).toBe(0);
    expect(tally.late).toBeGreaterThan(0);
    for (const code of ['ERR_MODBUS_DEVICE', 'ERR_MODBUS_BUSY', 'ERR_MODBUS_CONNECT'])
      expect(counters[`modbus.failed.${code}`], code).toBeGreaterThan(0);
  });
});
