/** MQTT 3.1.1 §3.3: PUBLISH, QoS 0, not retained, no duplicate. */
const PUBLISH_QOS_0 = 0x30;

/** A PUBLISH of QoS 0 as bytes: what a receipt travels in. `topic` is ASCII, `payload` at most some hundred bytes. */
export function publishFrame(topic: string, payload: Uint8Array): Uint8Array {
  const remaining = 2 + topic.length + payload.length;
  const lengthBytes = remaining < 0x80 ? 1 : remaining < 0x4000 ? 2 : 3;
  const frame = Buffer.allocUnsafe(1 + lengthBytes + remaining);
  let at = frame.writeUInt8(PUBLISH_QOS_0, 0);
  // §2.2.3: seven bits each, the lowest first, the high bit says that another follows.
  for (let left = remaining, n = 0; n < lengthBytes; n += 1, left >>= 7)
    at = frame.writeUInt8((left & 0x7f) | (n + 1 < lengthBytes ? 0x80 : 0), at);
  at = frame.writeUInt16BE(topic.length, at);
  at += frame.write(topic, at, 'latin1');
  frame.set(payload, at);
  return frame;
}
