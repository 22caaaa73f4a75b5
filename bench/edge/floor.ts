/**
 * What reading the sockets costs at least: the same Node, the same connections, the same bytes, and of all the work
 * only the CRC-16 that says whether a telegram is one.
 */
import { connect } from 'node:net';
import { crc16 } from '../../gateway/edge/p1/crc.ts';
import type { FloorCounts } from './protocol.ts';

const BEGIN = 0x2f;
const END = 0x21;
/** Of the CRC and the line end behind `!`. */
const TAIL_BYTES = 6;
const TELEGRAM_BYTES_MAX = 16_384;

const ports = JSON.parse(process.argv[2]!) as readonly number[];
const counts = { telegrams: 0, wrong: 0 };

for (const port of ports) {
  const held = Buffer.alloc(TELEGRAM_BYTES_MAX);
  let length = 0;
  connect(port, '127.0.0.1').on('data', (block: Buffer) => {
    if (block[0] === BEGIN) length = 0;
    block.copy(held, length);
    length += block.length;
    const end = length - TAIL_BYTES - 1;
    if (end < 0 || held[end] !== END) return;
    const printed = Number.parseInt(held.toString('latin1', end + 1, end + 5), 16);
    if (crc16(held, 0, end + 1) === printed) counts.telegrams += 1;
    else counts.wrong += 1;
    length = 0;
  });
}

process.on('message', () => process.send!(counts satisfies FloorCounts));
process.on('disconnect', () => process.exit(0));
process.send!('ready');
