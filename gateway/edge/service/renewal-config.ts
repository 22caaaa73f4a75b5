import { z } from 'zod';
import { isEstUrl } from '../../../pki/device.ts';
import { RENEWAL_LIMITS } from '../renewal/renewal.ts';

const DAY_MS = 86_400_000;

/**
 * Where the keys of a device are renewed: the EST server of its home (`hes ca`). Left out, nothing is renewed, and its
 * certificates end when they end.
 */
export const renewalConfig = z.strictObject({
  url: z.string().max(512).refine(isEstUrl, 'the EST server is named as https://host[:port], without a path'),
  /** The name in its certificate, where that is not the host of the URL. */
  servername: z.string().min(1).max(255).optional(),
  startSpreadMs: z.int().min(0).max(DAY_MS).default(RENEWAL_LIMITS.startSpreadMs),
  backoffBaseMs: z.int().min(1).max(DAY_MS).default(RENEWAL_LIMITS.backoffBaseMs),
  backoffMaxMs: z
    .int()
    .min(1)
    .max(7 * DAY_MS)
    .default(RENEWAL_LIMITS.backoffMaxMs),
});
