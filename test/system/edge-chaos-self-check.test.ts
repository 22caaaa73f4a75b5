import { afterEach, describe, expect, it } from 'vitest';
import { dayNamed, QUARTER_SECONDS } from '../../gateway/edge/days/calendar.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { ChaosRun } from '../support/edge-chaos.ts';
import { BLAMELESS, type EdgeJudgement, judgeEdges } from '../support/edge-oracle.ts';
import type { Event } from '../support/edge-story.ts';
import type { AcceptedRecord } from '../support/records.ts';
import { hasCommand } from '../support/tools.ts';

/**
 * Does the judge of the edge's chaos notice anything? The edge is made to forget, and what is at the MDMs is altered
 * as a fault would alter it; each time it must say exactly so.
 */
const FROM = '2026-03-28';
const START = dayNamed(FROM).start;
const HOUR = 4 * QUARTER_SECONDS;

const event = (what: Event['what'], from: number, until: number, which = 0): Event => ({
  what,
  from: START + from,
  until: START + until,
  moment: 'settled',
  which,
  againMs: null,
});

/** How many of each fault. */
const counts = (judgement: EdgeJudgement): Record<string, number> =>
  Object.fromEntries(Object.entries(judgement).map(([fault, names]) => [fault, (names as string[]).length]));
const NONE = counts(BLAMELESS);

let run: ChaosRun | undefined;
afterEach(() => run?.stop());

describe.skipIf(!hasCommand('socat'))("the judge of the edge's chaos", () => {
  it('finds the hours before a kill missing where the running day is not kept (needs socat)', async () => {
    run = new ChaosRun({
      seed: 5,
      from: FROM,
      days: 1,
      story: [event('kill', 10 * HOUR + 200, 10 * HOUR + 260)],
      forgetful: true,
    });
    const { judgement } = await run.run();
    const found = counts(judgement);
    expect({ ...found, missing: 0 }).toEqual(NONE);
    // Of each register of each meter everything before the kill.
    expect(found['missing']).toBeGreaterThan(40 * 10);
    expect(
      judgement.missing.every(
        (where) => where.slice(-24) <= new Date((START + 11 * HOUR) * 1_000).toISOString(),
      ),
    ).toBe(true);
  });

  it('finds nothing where all went well, and every fault that is put there (needs socat)', async () => {
    // The cable of the serial port is out over five boundaries; one MDM hears of it by its own gaps.
    run = new ChaosRun({
      seed: 6,
      from: FROM,
      days: 2,
      story: [
        event('unplug', 5 * HOUR + 100, 6 * HOUR + 300),
        event('kill', 30 * HOUR + 100, 30 * HOUR + 200),
      ],
    });
    const { judgement, days, tally } = await run.run();
    expect(judgement).toEqual(BLAMELESS);
    expect(tally.gaps).toBeGreaterThan(0);

    const accepted = run.accepted();
    const accounts = run.accounts;
    const serial = accounts.find(({ subject }) => subject.name === 'serial')!;
    const tenant = serial.subject.home;
    const mine = accepted.get(tenant)!;
    const record = mine.find(
      ({ header, text }) => header.Device === serial.device && text.includes(`"Day":"${FROM}"`),
    )!;
    const judged = (records: readonly AcceptedRecord[]): Record<string, number> =>
      counts(
        judgeEdges(
          accounts,
          days,
          new Map<TenantId, readonly AcceptedRecord[]>([...accepted, [tenant, records]]),
        ).judgement,
      );
    const instead = (text: string): Record<string, number> => {
      expect(text).not.toBe(record.text);
      return judged(mine.map((one) => (one === record ? { ...record, text } : one)));
    };

    expect(judged(mine.filter((one) => one !== record))).toEqual({ ...NONE, lost: 1 });
    expect(judged([...mine, record])).toEqual({ ...NONE, twice: 1 });
    const other = [...accepted.keys()].find((one) => one !== tenant)!;
    const astray = new Map([...accepted, [other, [...accepted.get(other)!, record]]]);
    expect(counts(judgeEdges(accounts, days, astray).judgement)).toEqual({ ...NONE, misrouted: 1, twice: 1 });
    expect(instead(record.text.replaceAll(FROM, '2031-01-01'))).toMatchObject({ invented: 1, lost: 1 });

    const { value, gap, register } = PLACES;
    // A quarter-hour with another value, with none, and a gap that somebody filled.
    expect(instead(record.text.replace(value, (_, start, digits) => `${start}9${digits}`))).toEqual({
      ...NONE,
      altered: 1,
    });
    expect(
      instead(record.text.replace(value, (_, start) => start.replace(/,"value":"$/, '') + MISSING_END)),
    ).toEqual({
      ...NONE,
      missing: 1,
    });
    expect(instead(record.text.replace(gap, (_, start) => `${start},"value":"0.100"}`))).toEqual({
      ...NONE,
      filled: 1,
    });
    expect(instead(record.text.replace(register, (_, start, digits) => `${start}9${digits}`))).toEqual({
      ...NONE,
      closedWrong: 1,
    });
    // A day said to be without a gap that has some, and one closed at another time than there was a telegram.
    expect(
      instead(
        record.text.replace(
          ',"ReadingQualities":[{"ReadingQualityType":{"ref":"1.5.259"}}],"Readings"',
          ',"Readings"',
        ),
      ),
    ).toEqual({ ...NONE, flagged: 1 });
    expect(
      instead(record.text.replaceAll('T00:00:00+01:00"', 'T00:07:00+01:00"')).closedWrong,
    ).toBeGreaterThan(0);
  });
});

const MISSING_END = ',"ReadingQualities":[{"ReadingQualityType":{"ref":"1.5.259"}}]';
const PLACES = {
  value: /("IntervalReadings":\[\{"timeStamp":"[^"]+","value":")([\d.]+")/,
  gap: /("IntervalReadings":\[.*?"timeStamp":"[^"]+"),"ReadingQualities":\[\{"ReadingQualityType":\{"ref":"1\.5\.259"\}\}\]\}/,
  register: /("Readings":\[\{"timeStamp":"[^"]+","value":")([\d.]+")/,
};
