import { z } from 'zod';
import { isTenantId, type TenantId } from '../../../protocol/identity.ts';

/** A path to a file. Keys and certificates are never in the configuration itself. */
const file = z.string().min(1).max(4_096);
const port = z.int().min(0).max(65_535);

/** The CAs of a development PKI in one process: EST for each operator's emulated devices. */
export const devCaProcessConfig = z.strictObject({
  /** A development PKI; those of production are one operator's each (`hes ca`). */
  pki: file,
  listen: z.strictObject({
    host: z.string().min(1).max(255).default('127.0.0.1'),
    /** A port for each operator. */
    ports: z.record(
      z.custom<TenantId>(isTenantId, 'a tenant is 2 to 32 lower-case letters and digits'),
      port,
    ),
  }),
  /** The server certificate that devices of the PKI know: the front's. */
  tls: z.strictObject({ certificate: file, key: file }),
});
