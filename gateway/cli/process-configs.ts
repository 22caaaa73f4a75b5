import { mdmStandInConfig } from '../../deploy/mdm-standin/config.ts';
import { fleetConfig } from '../../meter-emulator/config.ts';
import { edgeConfig } from '../edge/service/config.ts';
import { caProcessConfig } from './services/ca-config.ts';
import { deskProcessConfig } from './services/desk.ts';
import { devCaProcessConfig } from './services/dev-ca-config.ts';
import { frontProcessConfig } from './services/front.ts';
import { routerProcessConfig } from './services/router.ts';
import { upConfig } from './up/config.ts';

/** The configuration file of each process, for `hes config`. */
export const PROCESS_CONFIGS = {
  up: upConfig,
  front: frontProcessConfig,
  router: routerProcessConfig,
  desk: deskProcessConfig,
  ca: caProcessConfig,
  'dev-ca': devCaProcessConfig,
  mdm: mdmStandInConfig,
  fleet: fleetConfig,
  edge: edgeConfig,
} as const;
