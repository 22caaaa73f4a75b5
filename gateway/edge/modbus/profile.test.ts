import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { planReads } from './plan.ts';
import { loadProfile, type ModbusProfileInput, parseProfile } from './profile.ts';
import { builtInProfiles, profileNamed, profileSource } from './profiles.ts';

const own = (change: (profile: Record<string, unknown> & ModbusProfileInput) => void): unknown => {
  const profile = structuredClone(profileSource('em340'));
  change(profile as never);
  return profile;
};

describe('a profile', () => {
  it.each([
    [
      'an unknown key, with its path',
      (p) => Object.assign(p.registers[0]!, { adress: 5 }),
      /unknown key registers\[0\]\.adress/,
    ],
    ['an unknown key of the limits', (p) => Object.assign(p.limits, { max: 5 }), /unknown key limits\.max/],
    [
      'a float without a resolution',
      (p) => Object.assign(p.registers[0]!, { type: 'float32' }),
      /registers\[0\]\.type and registers\[0\]\.resolution/,
    ],
    ['an integer with a resolution', (p) => Object.assign(p.registers[0]!, { resolution: 0 }), /resolution/],
    [
      'a code that is no OBIS code',
      (p) => Object.assign(p.registers[0]!, { obis: '1.8.0' }),
      /registers\[0\]\.obis/,
    ],
    ['a register that is there twice', (p) => p.registers.push(p.registers[0]!), /more than once/],
    [
      'an address beyond the last',
      (p) => Object.assign(p.registers[0]!, { address: '0xFFFF' }),
      /registers\[0\]\.address/,
    ],
    [
      'an address that counts from 30001',
      (p) => Object.assign(p.registers[0]!, { address: 365_001 }),
      /registers\[0\]\.address/,
    ],
    [
      'an odd address where the meter wants even ones',
      (p) => Object.assign(p.limits, { even: true }) && Object.assign(p.registers[0]!, { address: 0x35 }),
      /limits\.even/,
    ],
    ['a value larger than one read', (p) => Object.assign(p.limits, { registersMax: 1 }), /registersMax/],
    [
      'an invalid pattern of another width',
      (p) => Object.assign(p, { invalid: { i32: ['7fff'] } }),
      /invalid\.i32/,
    ],
    ['a profile without registers', (p) => Object.assign(p, { registers: [] }), /registers/],
    [
      'more registers a read than Modbus has',
      (p) => Object.assign(p.limits, { registersMax: 126 }),
      /limits\.registersMax/,
    ],
  ] as [string, (p: ModbusProfileInput) => void, RegExp][])('refuses %s', (_, change, message) => {
    expect(() => parseProfile(own(change))).toThrow(message);
  });

  it('is not found by a name that nobody gave', () => {
    expect(() => profileNamed('sdm9000')).toThrow(expect.objectContaining({ code: 'ERR_MODBUS_PROFILE' }));
  });

  it('comes from a file as it comes from the table', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hes-profile-'));
    try {
      for (const profile of builtInProfiles()) {
        const file = join(folder, `${profile.name}.yaml`);
        writeFileSync(file, stringify(profileSource(profile.name)));
        expect(await loadProfile(file)).toEqual(profile);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('has sources, and says what was not held against a manual', () => {
    for (const { sources, notes } of builtInProfiles()) {
      expect(sources.length).toBeGreaterThan(0);
      expect(notes.some((note) => note.includes('[v]'))).toBe(true);
    }
  });
});

describe('a reading plan', () => {
  it.each([
    ['sdm630', 1],
    ['sdm120', 2],
    ['sdm230', 2],
    ['abb-b23', 3],
    ['abb-b24', 3],
    ['em340', 2],
    ['em24', 5],
    ['em24-e1', 2],
    ['iem3155', 4],
    ['pac2200', 3],
  ])('reads %s in %i questions', (name, questions) => {
    const profile = profileNamed(name);
    const plan = planReads([...profile.registers, ...profile.instants], profile);
    expect(plan).toHaveLength(questions);
    for (const { address, count } of plan) {
      expect(count).toBeLessThanOrEqual(profile.limits.registersMax);
      if (profile.limits.even) expect([address % 2, count % 2]).toEqual([0, 0]);
    }
  });
});
