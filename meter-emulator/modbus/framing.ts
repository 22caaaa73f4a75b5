import { crc16, hasValidCrc } from '../../gateway/edge/modbus/crc.ts';
import type { ModbusFault } from './faults.ts';

/** How questions and answers are wrapped: Modbus TCP, or RTU on a line. */
export interface Framing {
  /** The first whole question among the bytes, and what is left of them. */
  take(bytes: Buffer): { readonly question: Question | null; readonly rest: Buffer };
  wrap(question: Question, pdu: Buffer, fault: ModbusFault | null): Buffer;
}

export interface Question {
  readonly unit: number;
  readonly pdu: Buffer;
  /** What the frame has beside unit and PDU: the transaction of Modbus TCP. */
  readonly transaction: number;
}

const MBAP_BYTES = 7;
/** A question to read registers: unit, function, address, count, checksum. */
const RTU_QUESTION_BYTES = 8;
/** No question is longer; more is noise, of which the last bytes may begin one. */
const QUESTION_BYTES_MAX = 260;

const otherUnit = (unit: number, fault: ModbusFault | null): number =>
  fault?.kind === 'otherUnit' ? (unit + 1) % 256 : unit;

/** Modbus Messaging on TCP/IP Implementation Guide V1.0b §3.1.3. */
export const tcpFraming: Framing = {
  take(bytes) {
    if (bytes.length < MBAP_BYTES) return { question: null, rest: bytes };
    const end = 6 + bytes.readUInt16BE(4);
    if (end > QUESTION_BYTES_MAX) return { question: null, rest: Buffer.alloc(0) };
    if (bytes.length < end) return { question: null, rest: bytes };
    const question = {
      transaction: bytes.readUInt16BE(0),
      unit: bytes[6]!,
      pdu: bytes.subarray(MBAP_BYTES, end),
    };
    return { question, rest: bytes.subarray(end) };
  },
  wrap({ transaction, unit }, pdu, fault) {
    const head = Buffer.alloc(MBAP_BYTES);
    head.writeUInt16BE(transaction, 0);
    head.writeUInt16BE(pdu.length + 1, 4);
    head[6] = otherUnit(unit, fault);
    return Buffer.concat([head, pdu]);
  },
};

/** Modbus over Serial Line V1.02 §2.5.1. Questions are found by their checksum: a stream keeps no pauses. */
export const rtuFraming: Framing = {
  take(bytes) {
    for (let at = 0; at + RTU_QUESTION_BYTES <= bytes.length; at++) {
      const frame = bytes.subarray(at, at + RTU_QUESTION_BYTES);
      if (!hasValidCrc(frame)) continue;
      const question = { transaction: 0, unit: frame[0]!, pdu: frame.subarray(1, -2) };
      return { question, rest: bytes.subarray(at + RTU_QUESTION_BYTES) };
    }
    return { question: null, rest: bytes.subarray(-(RTU_QUESTION_BYTES - 1)) };
  },
  wrap({ unit }, pdu, fault) {
    const frame = Buffer.concat([Buffer.from([otherUnit(unit, fault)]), pdu, Buffer.alloc(2)]);
    frame.writeUInt16LE(crc16(frame.subarray(0, -2)), frame.length - 2);
    return frame;
  },
};
