import type { ConnectionOptions } from 'node:tls';
import { Meter } from '../../gateway/front/testing/meter.ts';
import { connect, publish } from '../../gateway/front/testing/wire.ts';
import type { DeviceIdentity } from '../../pki/trust.ts';

/** What a device heard of one message. */
export interface Heard {
  /** The return code of CONNACK, or undefined where it did not come to that. */
  readonly connack: number | undefined;
  readonly acknowledged: boolean;
  readonly receipts: readonly { readonly topic: string; readonly payload: Buffer }[];
  /** Whether the head-end ended the connection. */
  readonly closed: boolean;
}

const CONNACK = 0x20;
const PUBLISH_QOS_0 = 0x30;
const PUBACK = 0x40;

/** Connect over mutual TLS, as this client id, up to CONNACK or the end of the connection. */
export async function dial(
  identity: DeviceIdentity,
  port: number,
  clientId: string = identity.device,
  options: ConnectionOptions = {},
): Promise<Meter> {
  const meter = new Meter(identity, port, options);
  try {
    await meter.secure();
  } catch {
    // Refused in the handshake: the connection says so by being closed.
    await meter.untilClosed();
    return meter;
  }
  meter.send(connect({ clientId }));
  await meter.until(() => meter.of(CONNACK).length > 0);
  return meter;
}

/** Publish sealed bytes and hear what comes of it: PUBACK, or the end of the connection. */
export async function publishOn(meter: Meter, topic: string, payload: Uint8Array): Promise<void> {
  const before = meter.of(PUBACK).length;
  meter.send(publish({ topic, payload }));
  await meter.until(() => meter.of(PUBACK).length > before);
}

export function heardOn(meter: Meter): Heard {
  return {
    connack: meter.of(CONNACK)[0]?.[1],
    acknowledged: meter.of(PUBACK).length > 0,
    receipts: meter.of(PUBLISH_QOS_0).map((body) => {
      const length = body.readUInt16BE(0);
      return { topic: body.toString('latin1', 2, 2 + length), payload: body.subarray(2 + length) };
    }),
    closed: meter.closed,
  };
}

/** One connection, one message: what most attacks need. */
export async function sendOnce(
  identity: DeviceIdentity,
  port: number,
  topic: string,
  payload: Uint8Array,
): Promise<Heard> {
  const meter = await dial(identity, port);
  if (!meter.closed) await publishOn(meter, topic, payload);
  const heard = heardOn(meter);
  if (!meter.closed) await meter.leave();
  return heard;
}
