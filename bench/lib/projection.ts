import { round } from './statistics.ts';

/** The consortium's meters (public figures of the operators), and the two ways in which their day may come in. */
const METERS = 8_000_000;
const DAY_SECONDS = 86_400;
const HOUR_SECONDS = 3_600;

const WAYS = [
  { how: 'evenly over the day', perSecond: METERS / DAY_SECONDS },
  { how: 'within one hour', perSecond: METERS / HOUR_SECONDS },
] as const;

/**
 * How many cores of this kind front and routers would keep busy with the whole consortium. Multiplication, not
 * measurement: it assumes that fronts and routers scale over machines as they do over processes.
 */
export function projections(fullMicroseconds: number, resumedMicroseconds: number): string[] {
  return WAYS.map(({ how, perSecond }) => {
    const cores = (microseconds: number): number => round((perSecond * microseconds) / 1e6, 2);
    return `Projection, not a measurement: ${METERS.toLocaleString('en-US')} meters a day ${how} are ${Math.round(perSecond).toLocaleString('en-US')} a second, or ${cores(resumedMicroseconds)} busy cores for front and routers with resumed handshakes, ${cores(fullMicroseconds)} with full ones.`;
  });
}
