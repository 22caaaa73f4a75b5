import { z } from 'zod';
import { CHANNEL_MAX, METERS_MAX, SERIAL_LENGTH_MAX } from '../../../protocol/limits.ts';
import type { Frozen } from '../../runtime/config.ts';
import { endpointSchema } from './endpoint.ts';

/**
 * Asked at least once a minute, so that each quarter-hour has its sample (days/quality.ts). More often costs nothing and
 * finds the lowest and highest voltage.
 */
const EVERY_SECONDS_MAX = 60;

const meter = z
  .strictObject({
    /** A built-in profile by name, or … */
    profile: z.string().min(1).max(64).optional(),
    /** … one's own, by file. */
    profileFile: z.string().min(1).max(4_096).optional(),
    /** The unit id; the profile's factory setting unless told. */
    unit: z.int().min(0).max(255).optional(),
    /** 0 is the device's own meter, 1 to 4 stand for what a P1 meter has on its M-Bus. */
    channel: z.int().min(0).max(CHANNEL_MAX).default(0),
    /** As printed on the meter; needed where the meter does not tell it. */
    serial: z
      .string()
      .regex(/^[\x21-\x7e]+$/)
      .max(SERIAL_LENGTH_MAX)
      .optional(),
    ean: z
      .string()
      .regex(/^\d{18}$/, 'an EAN has 18 digits')
      .optional(),
  })
  .refine(({ profile, profileFile }) => (profile === undefined) !== (profileFile === undefined), {
    message: 'give profile or profileFile, one of the two',
    path: ['profile'],
  });

/** A Modbus source of an edge: a line or connection, and the meters on it. */
export const modbusSourceConfig = z.strictObject({
  endpoint: endpointSchema,
  everySeconds: z.int().min(1).max(EVERY_SECONDS_MAX).default(10),
  answerWithinMs: z.int().min(50).max(10_000).default(1_000),
  meters: z
    .array(meter)
    .min(1)
    .max(METERS_MAX)
    .refine((meters) => new Set(meters.map(({ channel }) => channel)).size === meters.length, {
      message: 'two meters have the same channel',
    }),
});

export type ModbusSourceConfig = Frozen<z.output<typeof modbusSourceConfig>>;
