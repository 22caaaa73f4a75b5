import { z } from 'zod';
import { isTenantId, type TenantId } from '../../../protocol/identity.ts';

/** A path to a file. Keys and certificates are never in the configuration itself. */
const file = z.string().min(1).max(4_096);
const tenant = z.custom<TenantId>(isTenantId, 'a tenant is 2 to 32 lower-case letters and digits');
const whole = (min: number, max: number) => z.int().min(min).max(max);
/** Manufacturers of an operator's meters, and the sub-CAs that each of them has had. */
const MANUFACTURERS_MAX = 32;
/** A list is good for seven days: whoever misses a day of it has six to find out. */
const CRL_SECONDS_MAX = 86_400;

/** One tenant's issuing CA as a service: EST for its devices, and its revocation list anew before the old one ends. */
export const caProcessConfig = z.strictObject({
  mode: z.enum(['production', 'development']).default('production'),
  tenant,
  pki: z.strictObject({
    /** As `hes pki init` made it; of its keys, this tenant's issuing CAs are opened. */
    directory: file,
    passphraseFile: file.optional(),
  }),
  listen: z.strictObject({
    host: z.string().min(1).max(255).default('127.0.0.1'),
    port: whole(0, 65_535),
  }),
  /** A server certificate of the head-end's CA, followed by that CA's. */
  tls: z.strictObject({ certificate: file, key: file, passphraseFile: file.optional() }),
  /** The CAs that sign birth certificates, PEM. Without any, devices enrol by one-time code alone. */
  manufacturers: z.array(file).max(MANUFACTURERS_MAX).default([]),
  /**
   * The notices of other tenants whose meters hang on this one's devices, by tenant: a device that enrols here learns
   * their sealing keys and offices from them. Its own lies in the PKI.
   */
  notices: z.record(tenant, file).default({}),
  /** Requests of one address a minute: behind the address of a mobile operator there are many meters. */
  perAddressPerMinute: whole(1, 100_000).default(600),
  publishCrlSeconds: whole(1, CRL_SECONDS_MAX).default(3_600),
});
