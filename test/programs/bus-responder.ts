import { BEHAVIOURS, type Behaviour } from '../../gateway/bus/contract-behaviours.ts';
import { connectLocalBus } from '../../gateway/bus/local/peer.ts';
import type { BusSubject } from '../../gateway/bus/port.ts';
import type { TenantId } from '../../protocol/identity.ts';

/** One responder of the bus contract as a process of its own. */
const [directory, tenant, subject, behaviour, name, bodyBytesMax] = process.argv.slice(2) as [
  string,
  TenantId,
  BusSubject,
  Behaviour,
  string,
  string,
];
const bus = connectLocalBus({ directory, tenant });
const serving = await bus.serve(subject, BEHAVIOURS[behaviour]({ name, bodyBytesMax: Number(bodyBytesMax) }));
process.on('message', () => void serving.stop().then(() => process.send?.('stopped')));
process.on('disconnect', () => process.exit(0));
process.send?.('serving');
