import { expect, it } from 'vitest';
import { commandFrame, receiptFrames } from './frames.ts';
import { bytes, packets, text } from './testing/wire.ts';

/** Remaining lengths on both sides of where MQTT needs another byte for them (§2.2.3), and what receipts have. */
it.each([0, 1, 90, 118, 119, 120, 121, 256, 16_374, 16_375, 16_376, 20_000])(
  'writes a receipt of %i bytes and its PUBACK as two packets that read back',
  (length) => {
    const receipt = Uint8Array.from({ length }, (_, i) => i);
    expect(packets(Buffer.from(receiptFrames('t/ores/x', receipt, 0xfedc)))).toEqual([
      { first: 0x30, body: bytes(text('t/ores/x'), receipt) },
      { first: 0x40, body: bytes(0xfe, 0xdc) },
    ]);
  },
);

it.each([1, 119, 120, 780, 1_400, 6_624, 16_373, 16_374])(
  'writes a command of %i bytes as one packet that reads back',
  (length) => {
    const sealed = Uint8Array.from({ length }, (_, i) => i);
    expect(packets(Buffer.from(commandFrame('t/ores/x', sealed)))).toEqual([
      { first: 0x30, body: bytes(text('t/ores/x'), sealed) },
    ]);
  },
);
