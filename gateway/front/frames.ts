/** MQTT 3.1.1 §3.3: PUBLISH, QoS 0, not retained, no duplicate. */
const PUBLISH_QOS_0 = 0x30;

/** §3.4: PUBACK and its remaining length, before the packet identifier. */
const PUBACK = 0x4002;
const PUBACK_BYTES = 4;

/** A PUBLISH of QoS 0 with room for `tailBytes` behind it. `topic` is ASCII. */
function publishFrame(
  topic: string,
  payload: Uint8Array,
  tailBytes: number,
): { readonly frame: Buffer; readonly end: number } {
  const remaining = 2 + topic.length + payload.length;
  const lengthBytes = remaining < 0x80 ? 1 : remaining < 0x4000 ? 2 : 3;
  const frame = Buffer.allocUnsafe(1 + lengthBytes + remaining + tailBytes);
  let at = frame.writeUInt8(PUBLISH_QOS_0, 0);
  // §2.2.3: seven bits each, the lowest first, the high bit says that another follows.
  for (let left = remaining, n = 0; n < lengthBytes; n += 1, left >>= 7)
    at = frame.writeUInt8((left & 0x7f) | (n + 1 < lengthBytes ? 0x80 : 0), at);
  at = frame.writeUInt16BE(topic.length, at);
  at += frame.write(topic, at, 'latin1');
  frame.set(payload, at);
  return { frame, end: at + payload.length };
}

/**
 * A receipt and the PUBACK of the message that it is for, in this order, as the bytes of two packets.
 * `receipt` is of at most some hundred bytes.
 */
export function receiptFrames(topic: string, receipt: Uint8Array, messageId: number): Uint8Array {
  const { frame, end } = publishFrame(topic, receipt, PUBACK_BYTES);
  const at = frame.writeUInt16BE(PUBACK, end);
  frame.writeUInt16BE(messageId, at);
  return frame;
}

/** An operator's notice as the bytes of one packet. QoS 0: one that is lost is sent again with the next message. */
export function noticeFrame(topic: string, notice: Uint8Array): Uint8Array {
  return publishFrame(topic, notice, 0).frame;
}

/**
 * A command as the bytes of one packet. QoS 0: what proves that a device has it is its signed result, and a PUBACK
 * of the link would only be taken for one.
 */
export function commandFrame(topic: string, sealed: Uint8Array): Uint8Array {
  return publishFrame(topic, sealed, 0).frame;
}
