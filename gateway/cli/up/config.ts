import { z } from 'zod';
import { isTenantId, type TenantId } from '../../../protocol/identity.ts';
import type { Frozen } from '../../runtime/config.ts';

const tenant = z.custom<TenantId>(isTenantId, 'a tenant is 2 to 32 lower-case letters and digits');
const file = z.string().min(1).max(4_096);

/** Where a tenant's records go instead of to the simulated MDM. Tokens and certificates are paths to files. */
const mdm = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  tokenFile: file.optional(),
  tls: z.strictObject({ ca: file.optional(), certificate: file.optional(), key: file.optional() }).optional(),
});

/** `hes up --config FILE`. Everything has a default; a flag on the command line wins over the file. */
export const upConfig = z.strictObject({
  data: file.default('.hes'),
  listen: z
    .strictObject({
      host: z.string().min(1).max(255).default('127.0.0.1'),
      port: z.int().min(0).max(65_535).default(8_883),
    })
    .prefault({}),
  fleet: z
    .strictObject({
      /** Daily indexes a day: a device and an owner each. */
      meters: z.int().min(1).max(100_000).default(210),
      seed: z
        .int()
        .min(0)
        .max(2 ** 32 - 1)
        .default(1),
      /** The first simulated day; the default is the eve of a day of 23 hours. */
      from: z.iso.date().default('2026-03-28'),
      /** Simulated days a minute. */
      speed: z.number().positive().max(100_000).default(1),
    })
    .prefault({}),
  /** The operators; without this the whole consortium, each with a simulated MDM. */
  tenants: z.record(tenant, z.strictObject({ mdm: mdm.optional() })).optional(),
});

export type UpConfig = Frozen<z.output<typeof upConfig>>;
