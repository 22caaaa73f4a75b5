import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { PLANS, type Plan } from '../../../protocol/command/tariff.ts';
import { type DeviceId, isTenantId, type TenantId } from '../../../protocol/identity.ts';
import { CERTIFICATE_BYTES_MAX, CHANNEL_MAX, METERS_MAX } from '../../../protocol/limits.ts';
import { deviceId, ean } from '../api/shapes.ts';
import { medium } from '../api/views.ts';
import { deskError } from '../errors.ts';
import type { Registration } from '../meters.ts';
import { BREAKER_STATES, CREDIT_MODES } from './meter.ts';
import { recipientOfCertificate } from './recipient.ts';

/** A meter as the operator's own systems write it down: a line of JSON, in a file or over the API. */

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
