import { busContract } from '../contract.ts';
import { localFixture } from './fixture.ts';

busContract('local, asked by the hub’s own process', () => localFixture('hub'));
