import { z } from 'zod';
import type { Frozen } from '../../gateway/runtime/config.ts';
import { isTenantId, type TenantId } from '../../protocol/identity.ts';

const file = z.string().min(1).max(4_096);
const tenant = z.custom<TenantId>(isTenantId, 'a tenant is 2 to 32 lower-case letters and digits');

/** The simulated MDMs of one process: an HTTP server per operator, on loopback unless told. */
export const mdmStandInConfig = z.strictObject({
  host: z.string().min(1).max(255).default('127.0.0.1'),
  tenants: z
    .array(
      z.strictObject({
        tenant,
        /** 0 takes any free one. */
        port: z.int().min(0).max(65_535).default(0),
        /** Remembers the keys of what was accepted, on the disk before the answer. */
        store: file.optional(),
      }),
    )
    .min(1)
    .max(64),
  /** A line `{"tenant","record"}` for everything accepted; off by default: nothing is kept that was not asked for. */
  mdmOut: file.optional(),
});

export type MdmStandInConfig = Frozen<z.output<typeof mdmStandInConfig>>;
