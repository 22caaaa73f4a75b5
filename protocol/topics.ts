import { HesError } from './errors.ts';
import { type DeviceId, isDeviceId, isTenantId, type TenantId } from './identity.ts';

/** What a device sends, and what it may be sent: the last two levels of a topic. */
export const UP_KINDS = ['index', 'event', 'result'] as const;
export const DOWN_KINDS = ['receipt', 'command', 'notice'] as const;
export type UpKind = (typeof UP_KINDS)[number];
export type DownKind = (typeof DOWN_KINDS)[number];

export type Topic =
  | { readonly tenant: TenantId; readonly device: DeviceId; readonly direction: 'up'; readonly kind: UpKind }
  | {
      readonly tenant: TenantId;
      readonly device: DeviceId;
      readonly direction: 'down';
      readonly kind: DownKind;
    };

export function upTopic(tenant: TenantId, device: DeviceId, kind: UpKind): string {
  return `t/${tenant}/${device}/up/${kind}`;
}

export function downTopic(tenant: TenantId, device: DeviceId, kind: DownKind): string {
  return `t/${tenant}/${device}/down/${kind}`;
}

/**
 * Read a topic name; wildcards, `$SYS`, `$share` and every other shape are no topic of ours.
 * @throws ERR_TOPIC
 */
export function parseTopic(text: string): Topic {
  const levels = text.split('/', 6);
  const [root, tenant, device, direction, kind] = levels;
  if (levels.length === 5 && root === 't' && isTenantId(tenant) && isDeviceId(device)) {
    if (direction === 'up' && (UP_KINDS as readonly string[]).includes(kind!))
      return { tenant, device, direction, kind: kind as UpKind };
    if (direction === 'down' && (DOWN_KINDS as readonly string[]).includes(kind!))
      return { tenant, device, direction, kind: kind as DownKind };
  }
  throw new HesError('ERR_TOPIC', 'a topic is t/{tenant}/{device}/{up|down}/{kind}', {
    context: { length: text.length },
  });
}
