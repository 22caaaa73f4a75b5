import { X509Certificate } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { PLANS, type Plan } from '../../../protocol/command/tariff.ts';
import { isHesError } from '../../../protocol/errors.ts';
import { type DeviceId, isTenantId, type TenantId } from '../../../protocol/identity.ts';
import { CERTIFICATE_BYTES_MAX, CHANNEL_MAX, METERS_MAX } from '../../../protocol/limits.ts';
import type { Log } from '../../runtime/log.ts';
import { inOrder } from '../api/bulk.ts';
import { LINES_IN_HAND_MAX } from '../api/limits.ts';
import { deviceId, ean, parse } from '../api/shapes.ts';
import { medium } from '../api/views.ts';
import type { Desk } from '../desk.ts';
import { deskError } from '../errors.ts';
import type { Registration } from '../meters.ts';
import { BREAKER_STATES, CREDIT_MODES } from '../registry/meter.ts';
import { recipientOfCertificate } from './recipient.ts';

/** Meters as the operator's own systems write them down: a line of JSON each. */

const tenant = z
  .string()
  .refine(isTenantId, 'a tenant is 2 to 32 lower-case letters and digits') as unknown as z.ZodType<
  TenantId,
  string
>;
/** Base64 and its lines make a PEM text a third longer than its bytes. */
const pem = z.string().max(CERTIFICATE_BYTES_MAX * 2);

export const meterLine = z.strictObject({
  device: deviceId,
  home: tenant,
  medium,
  channels: z
    .array(
      z.strictObject({
        channel: z.int().min(0).max(CHANNEL_MAX),
        medium,
        owner: tenant,
        ean: ean.nullable().optional(),
      }),
    )
    .min(1)
    .max(METERS_MAX),
  /** Of the device's key agreement (PEM), which commands are sealed to. */
  certificate: pem.nullable(),
  /** As it is when it is entered; commands change it from then on. */
  state: z
    .strictObject({
      creditMode: z.enum(CREDIT_MODES).optional(),
      tariffPlan: z.enum(Object.keys(PLANS) as [Plan, ...Plan[]]).optional(),
      breaker: z.enum(BREAKER_STATES).optional(),
    })
    .optional(),
});
export type MeterLine = z.input<typeof meterLine>;

/** @throws ERR_DESK_REGISTRY where its members do not fit each other */
export function registrationOf(line: z.output<typeof meterLine>): Registration {
  const { device, home, medium, certificate, state } = line;
  const numbers = line.channels.map(({ channel }) => channel);
  if (new Set(numbers).size < numbers.length)
    throw deskError('ERR_DESK_REGISTRY', 'a channel is there twice', { context: { device } });
  const eans: Record<number, string> = {};
  for (const { channel, ean } of line.channels) if (ean != null) eans[channel] = ean;
  return {
    device,
    home,
    medium,
    channels: line.channels
      .map(({ channel, medium, owner }) => ({ channel, medium, owner }))
      .sort((a, b) => a.channel - b.channel),
    certificate: certificate === null ? null : derOf(certificate, { device, home }),
    eans,
    ...(state === undefined ? {} : { state: definedOf(state) }),
  };
}

function definedOf(
  state: NonNullable<z.output<typeof meterLine>['state']>,
): NonNullable<Registration['state']> {
  return Object.fromEntries(Object.entries(state).filter(([, value]) => value !== undefined));
}

function derOf(text: string, about: { readonly device: DeviceId; readonly home: TenantId }): Uint8Array {
  try {
    const { raw } = new X509Certificate(text);
    if (recipientOfCertificate(raw, about) !== undefined) return raw;
  } catch {
    // said below: what is wrong with it, its issuer has to find out
  }
  throw deskError('ERR_DESK_REGISTRY', 'its certificate is none of the key agreement of this device', {
    context: { device: about.device },
  });
}

export interface Imported {
  readonly entered: number;
  readonly refused: number;
}

/** Wrong lines that are named one by one; a file of another kind has millions. */
const NAMED_MAX = 20;
const LINE_LENGTH_MAX = 16_384;

/**
 * Enter every meter of a file; what was entered before just so is left alone. A wrong line is named in the log, by
 * its number and what is wrong there, and the others are entered.
 * @throws ERR_DESK_REGISTRY where the file cannot be read; ERR_DESK_STORE
 */
export async function importRegistry(
  file: string,
  desk: Pick<Desk, 'register'>,
  log: Log,
): Promise<Imported> {
  let entered = 0;
  let refused = 0;
  const results = inOrder(numbered(file), LINES_IN_HAND_MAX, async ({ number, text }) => {
    try {
      if (text.length > LINE_LENGTH_MAX) throw deskError('ERR_DESK_REGISTRY', 'too long');
      await desk.register(registrationOf(parse(meterLine, jsonOf(text), `line ${number}`)), 'desk');
      return undefined;
    } catch (error) {
      return { number, error };
    }
  });
  for await (const fault of results) {
    if (fault === undefined) entered++;
    else if (!isHesError(fault.error) || fault.error.code.startsWith('ERR_DESK_STORE')) throw fault.error;
    else if (++refused <= NAMED_MAX)
      log.error({ line: fault.number, err: fault.error }, 'a line of the registry is no meter');
  }
  if (refused > 0) log.error({ code: 'ERR_DESK_REGISTRY', refused, entered }, 'the registry has wrong lines');
  return { entered, refused };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw deskError('ERR_DESK_REGISTRY', 'no JSON');
  }
}

async function* numbered(file: string): AsyncGenerator<{ readonly number: number; readonly text: string }> {
  const stream = createReadStream(file, 'utf8');
  const failed = new Promise<never>((_, reject) => stream.once('error', reject));
  failed.catch(() => undefined);
  let number = 0;
  try {
    await Promise.race([new Promise((resolve) => stream.once('open', resolve)), failed]);
    for await (const text of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      number++;
      if (text.trim() !== '') yield { number, text };
    }
  } catch (cause) {
    throw deskError('ERR_DESK_REGISTRY', `${file} cannot be read`, { cause });
  } finally {
    stream.destroy();
  }
}
