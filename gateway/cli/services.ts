import type { LogLevel } from '../runtime/log.ts';
import { type RunningService, runService, type ServiceContext } from '../runtime/service.ts';
import type { ServiceName } from './kinds.ts';

type Start = (context: ServiceContext, file: string) => Promise<RunningService>;

/** Each process loads its own rooms and no other's: it starts sooner, and a router holds no code of the front. */
const SERVICES: Readonly<Record<ServiceName, () => Promise<{ readonly start: Start }>>> = {
  front: () => import('./services/front.ts'),
  router: () => import('./services/router.ts'),
  desk: () => import('./services/desk.ts'),
  ca: () => import('./services/ca.ts'),
  'dev-ca': () => import('./services/dev-ca.ts'),
  mdm: () => import('./services/mdm.ts'),
  fleet: () => import('./services/fleet.ts'),
};

export function runNamedService(name: ServiceName, file: string, level: LogLevel = 'info'): void {
  runService(
    name,
    async (context) => {
      const { start } = await SERVICES[name]();
      return start(context, file);
    },
    { level },
  );
}
