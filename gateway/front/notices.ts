import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { downTopic } from '../../protocol/topics.ts';
import { noticeFrame } from './frames.ts';
import type { Session } from './session.ts';

/**
 * What is to be written to a device, with the notice of its operator before it where it has not had that over this
 * connection. In one write: whoever reads the one has read the other before.
 */
export function withNotice(
  session: Session,
  { tenant, device }: { readonly tenant: TenantId; readonly device: DeviceId },
  notice: Uint8Array | undefined,
  frames: Uint8Array,
): Uint8Array {
  if (notice === undefined || !session.isNews(tenant, notice)) return frames;
  return Buffer.concat([noticeFrame(downTopic(tenant, device, 'notice'), notice), frames]);
}
