import { InvalidArgumentError } from 'commander';

/** Parsers of options: commander says which option it was, and these what is wrong with it. */

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };
}

export function positiveNumber(max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!(value > 0 && value <= max))
      throw new InvalidArgumentError(`It must be a number above 0, up to ${max}.`);
    return value;
  };
}
