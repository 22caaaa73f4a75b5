import { expect, it } from 'vitest';
import { AddressRate } from './rate.ts';

it('refuses an address that asks too often, and nobody else, until its minute has filled again', () => {
  const rate = new AddressRate(2);
  const tooOften = expect.objectContaining({ code: 'ERR_EST_RATE' }) as Error;
  rate.take('a', 0);
  rate.take('a', 0);
  expect(() => rate.take('a', 29_999)).toThrow(tooOften);
  rate.take('b', 29_999);
  rate.take('a', 60_000);
});

it('remembers no more addresses than its bound', () => {
  const rate = new AddressRate(1);
  rate.take('first', 0);
  for (let index = 0; index < 4_096; index += 1) rate.take(`address ${index}`, 0);
  expect(() => rate.take('first', 0)).not.toThrow();
});
