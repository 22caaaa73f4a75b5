import { z } from 'zod';
import { mdmStandInConfig } from '../../deploy/mdm-standin/config.ts';
import { fleetConfig } from '../../meter-emulator/config.ts';
import { frontConfigSchema } from '../front/config.ts';
import { routerConfig } from '../router/config.ts';
import { upConfig } from './up/config.ts';

/** Where the local bus has its sockets: the folder that the front makes and the routers find. */
const bus = z.strictObject({ directory: z.string().min(1).max(4_096) });

/**
 * The configuration file of each process. A room's schema says what the room needs; the process adds which bus
 * it is put on.
 */
export const PROCESS_CONFIGS = {
  up: upConfig,
  front: frontConfigSchema.safeExtend({ bus }),
  router: routerConfig.safeExtend({ bus }),
  mdm: mdmStandInConfig,
  fleet: fleetConfig,
} as const;
