import { busContract } from '../contract.ts';
import { localFixture } from './fixture.ts';

busContract('local, asked by a peer through the hub', () => localFixture('peer'));
