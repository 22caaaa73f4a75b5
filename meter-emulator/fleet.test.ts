import { describe, expect, it } from 'vitest';
import type { TenantId } from '../protocol/identity.ts';
import { CONSORTIUM } from '../protocol/tenants.ts';
import { type Fleet, planFleet } from './fleet.ts';
import { eanNumber, gs1CheckDigit, serialNumber } from './numbers.ts';

const fleetOf = (meters: number, seed = 7) => planFleet({ seed, meters, tenants: CONSORTIUM });
const waterTenants = CONSORTIUM.filter(({ media }) => media[0] === 'water').map(({ id }) => id);
const meterList = (fleet: Fleet) => fleet.devices.flatMap(({ meters }) => meters);

describe('planFleet', () => {
  it.each([0, -1, 1.5, 100_001, Number.NaN])('refuses %s meters', (meters) => {
    expect(() => fleetOf(meters)).toThrow(expect.objectContaining({ code: 'ERR_FLEET_SIZE' }));
  });

  it('refuses no tenant, and one named twice', () => {
    expect(() => planFleet({ seed: 7, meters: 3, tenants: [] })).toThrow(/at least one/);
    expect(() => planFleet({ seed: 7, meters: 3, tenants: [CONSORTIUM[0]!, CONSORTIUM[0]!] })).toThrow(
      /once/,
    );
  });

  it.each([
    [-1, 2],
    [2, 2],
    [0, 0],
  ])('refuses slice %i of %i', (index, of) => {
    expect(() => planFleet({ seed: 7, meters: 3, tenants: CONSORTIUM, slice: { index, of } })).toThrow(
      /slice/,
    );
  });

  it('gives every tenant exactly its share', () => {
    expect([...fleetOf(210).streams.values()]).toEqual([30, 30, 30, 30, 30, 30, 30]);
  });

  it('gives the remainder to the first tenants, one each', () => {
    expect([...fleetOf(10).streams.values()]).toEqual([2, 2, 2, 1, 1, 1, 1]);
    expect([...fleetOf(3).streams.values()]).toEqual([1, 1, 1, 0, 0, 0, 0]);
  });

  it('carries part of the water meters as guests on electricity meters, the others on their own', () => {
    const { devices } = fleetOf(210);
    const guests = devices.flatMap((device) => device.guests);
    expect(guests).toHaveLength(36);
    expect(guests.every((owner) => waterTenants.includes(owner))).toBe(true);
    const alone = devices.filter(({ home }) => waterTenants.includes(home));
    expect(alone).toHaveLength(54);
    expect(alone.every(({ source, meters }) => source === 'virtual' && meters.length === 1)).toBe(true);
    expect(devices.every(({ guests: own }) => own.length <= 1)).toBe(true);
  });

  it('lets water meters stand alone where there is no electricity meter to ride on', () => {
    const fleet = planFleet({ seed: 7, meters: 20, tenants: CONSORTIUM.slice(4) });
    expect(fleet.devices).toHaveLength(20);
    expect([...fleet.streams.values()]).toEqual([7, 7, 6]);
  });

  it('has gas beside electricity, second gas meters, heat channels and lone heat meters', () => {
    const { devices } = fleetOf(210);
    const channels = (medium: string) =>
      devices.filter(({ meters }) => meters.some((meter) => meter.channel > 0 && meter.medium === medium))
        .length;
    expect(channels('gas')).toBeGreaterThan(40);
    expect(channels('heat')).toBeGreaterThan(0);
    expect(devices.some(({ meters }) => meters.filter(({ medium }) => medium === 'gas').length === 2)).toBe(
      true,
    );
    expect(devices.some(({ source, meters }) => source === 'virtual' && meters[0]!.medium === 'heat')).toBe(
      true,
    );
  });

  it('cuts into slices that together are the whole, no device twice', () => {
    const whole = fleetOf(211);
    const parts = [0, 1, 2].map((index) =>
      planFleet({ seed: 7, meters: 211, tenants: CONSORTIUM, slice: { index, of: 3 } }),
    );
    const ids = parts.flatMap(({ devices }) => devices.map(({ id }) => id));
    expect(ids.toSorted()).toEqual(whole.devices.map(({ id }) => id).toSorted());
    const sum = (tenant: TenantId) => parts.reduce((all, part) => all + part.streams.get(tenant)!, 0);
    expect(CONSORTIUM.map(({ id }) => sum(id))).toEqual([...whole.streams.values()]);
  });

  it('finds the same devices with the same seed, none of them with another', () => {
    expect(fleetOf(100)).toEqual(fleetOf(100));
    const other = new Set(fleetOf(100, 8).devices.map(({ id }) => id));
    expect(fleetOf(100).devices.some(({ id }) => other.has(id))).toBe(false);
  });

  it('gives no two devices one pseudonym and no two meters one number', () => {
    const fleet = fleetOf(10_000);
    expect(new Set(fleet.devices.map(({ id }) => id)).size).toBe(fleet.devices.length);
    const meters = meterList(fleet);
    expect(new Set(meters.map(({ ordinal }) => ordinal)).size).toBe(meters.length);
    expect(new Set(meters.map(({ medium, ordinal }) => serialNumber(medium, ordinal, 7))).size).toBe(
      meters.length,
    );
    expect(new Set(meters.map(({ owner, ordinal }) => eanNumber(owner, ordinal, 7))).size).toBe(
      meters.length,
    );
  });

  it('numbers channels from 1 without a hole, up to four', () => {
    for (const { meters } of fleetOf(2_000).devices) {
      expect(meters.map(({ channel }) => channel)).toEqual(meters.map((_, index) => index));
      expect(meters.length).toBeLessThanOrEqual(5);
    }
  });
});

describe('numbers', () => {
  it('makes EANs of 18 digits that begin with 54 and end with the GS1 check digit', () => {
    for (let ordinal = 0; ordinal < 200; ordinal++) {
      const ean = eanNumber('ores' as TenantId, ordinal * 97, 7);
      expect(ean).toMatch(/^54\d{16}$/);
      expect(ean.slice(-1)).toBe(gs1CheckDigit(ean.slice(0, -1)));
    }
  });

  it('computes the check digit of the example of the GS1 General Specifications', () => {
    // Figure 7.9.1-1 gives the GTIN-13 6291041500213; weights count from the right, so length does not matter.
    expect(gs1CheckDigit('629104150021')).toBe('3');
  });

  it('makes serial numbers of 14 places with the maker first', () => {
    expect(serialNumber('electricity', 12, 7)).toMatch(/^1(SAG|LGZ)\d{10}$/);
    expect(serialNumber('water', 13, 7)).toMatch(/^8(SEN|KAM)\d{10}$/);
  });
});
