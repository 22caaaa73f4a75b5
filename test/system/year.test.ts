import { beforeAll, describe, expect, it } from 'vitest';
import { INNOCENT } from '../support/year-ledger.ts';
import { BOUND_MS } from '../support/year-plan.ts';
import { liveYear, type YearResult } from '../support/year-run.ts';

/**
 * A year of devices whose certificates end, are renewed, replaced, stolen and taken back, while one operator's sealing key
 * changes and another's issuing CA, the CAs are down for three weeks and nobody publishes lists for nine days. Real are the register, the CA, the
 * logic of EST, the keys, the lists, the notices, the front's verdict and the router's pipeline; the clock is simulated,
 * and there are no sockets (docs/adr/0189).
 *
 * HES_SEED is another year, HES_DEVICES its size; HES_EVERY=1 has each device close and send every day (here: one day
 * in 28, since a day of all of them is a second of cryptography).
 */
const options = {
  seed: Number(process.env['HES_SEED'] ?? 20_261_124),
  devices: Number(process.env['HES_DEVICES'] ?? 1_000),
  every: Number(process.env['HES_EVERY'] ?? 28),
};
/** The full daily year takes minutes. */
const LIVED_WITHIN_MS = 1_800_000;

describe(`a year of ${options.devices} devices (HES_SEED=${options.seed} HES_DEVICES=${options.devices} HES_EVERY=${options.every})`, () => {
  let year: YearResult;
  const of = (pattern: RegExp): number =>
    Object.entries(year.counts).reduce((sum, [what, count]) => (pattern.test(what) ? sum + count : sum), 0);

  beforeAll(async () => {
    year = await liveYear(options);
  }, LIVED_WITHIN_MS);

  it('loses, doubles, alters and invents no reading', () => {
    const { lost, twice, altered, invented } = year.judgement;
    expect({ lost, twice, altered, invented }).toEqual({ lost: [], twice: [], altered: [], invented: [] });
  });

  it(`believes nobody ${BOUND_MS / 1_000} seconds after he was taken back`, () => {
    expect(year.judgement.acceptedLate).toEqual([]);
    expect(of(/renewed what it had revoked|given anew/)).toBe(0);
  });

  it('refuses nothing of a device in good standing', () => {
    expect(year.judgement).toEqual(INNOCENT);
  });

  it('had all of that in it', () => {
    const { devices } = options;
    expect(year.closed).toBeGreaterThan((devices * 365) / options.every / 2);
    expect(of(/^renewal: done/)).toBeGreaterThan(1.5 * devices);
    expect(of(/^renewal: nobody answers/)).toBeGreaterThan(0);
    for (const what of [
      /^expired/,
      /^enrolled anew/,
      /^replaced/,
      /^taken back at once/,
      /^taken back after new keys/,
    ])
      expect(of(what), String(what)).toBeGreaterThan(0);
    expect(of(/CRL_STALE/)).toBeGreaterThan(0);
    expect(of(/^heard of a new CA/)).toBeGreaterThan(devices / 4);
    // The stolen keys did work, until they were taken back.
    expect(of(/^stranger: delivered/)).toBeGreaterThan(0);
    expect(of(/^front \(stranger\): opened/)).toBeGreaterThan(0);
    expect(of(/^stranger, taken back: refused revoked/)).toBeGreaterThan(0);
    expect(of(/^front \(stranger\), taken back: ERR_TRUST_REVOKED/)).toBeGreaterThan(0);
    expect(of(/^CA \(stranger\), taken back: ERR_EST_CLIENT/)).toBeGreaterThan(0);
    // Every device in good standing seals to the newest key of its operator.
    expect(year.kidsInUse).toHaveLength(2);
  });
});
