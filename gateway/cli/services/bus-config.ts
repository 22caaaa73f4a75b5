import { z } from 'zod';

/** Where the local bus has its sockets: the folder that the front makes and the routers find. */
export const busConfig = z.strictObject({ directory: z.string().min(1).max(4_096) });
