/** MQTT 3.1.1 §3.3: PUBLISH, QoS 0, not retained, no duplicate. */
const PUBLISH_QOS_0 = 0x30;

/** §3.4: PUBACK and its remaining length, before the packet identifier. */
const PUBACK = 0x4002;
const PUBACK_BYTES = 4;

/**
 * A receipt and the PUBACK of the message that it is for, in this order, as the bytes of two packets.
 * `topic` is ASCII, `receipt` at most some hundred bytes.
 */
export function receiptFrames(topic: string, receipt: Uint8Array, messageId: number): Uint8Array {
  const remaining = 2 + topic.length + receipt.length;
  const lengthBytes = remaining < 0x80 ? 1 : remaining < 0x4000 ? 2 : 3;
  const frame = Buffer.allocUnsafe(1 + lengthBytes + remaining + PUBACK_BYTES);
  let at = frame.writeUInt8(PUBLISH_QOS_0, 0);
  // §2.2.3: seven bits each, the lowest first, the high bit says that another follows.
  for (let left = remaining, n = 0; n < lengthBytes; n += 1, left >>= 7)
    at = frame.writeUInt8((left & 0x7f) | (n + 1 < lengthBytes ? 0x80 : 0), at);
  at = frame.writeUInt16BE(topic.length, at);
  at += frame.write(topic, at, 'latin1');
  frame.set(receipt, at);
  at = frame.writeUInt16BE(PUBACK, at + receipt.length);
  frame.writeUInt16BE(messageId, at);
  return frame;
}
