import { open } from 'node:fs/promises';

/** Looked at from the start of a file: a meter sends a telegram of some KiB every ten seconds at most. */
const SNIFF_BYTES_MAX = 1_048_576;

/** A line that is the first of a telegram (IEC 62056-21 §6.3.2), and no path or address of the web. */
const HEADER_LINE = /(?:^|[\r\n\0])\/[A-Za-z0-9]{3}[\x20-\x27\x2a-\x2e\x30-\x7e]{0,93}(?:[\r\n]|$)/;

/** A line with a reading: of a telegram that was cut at its start. */
const READING_LINE = /(?:^|[\r\n\0])\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}(?:\.\d{1,3})?\(/;

/** The DLMS frame of an encrypted P1 port: tag, title of 8 bytes, length in BER, security byte 30h. */
const ENCRYPTED = /^\xdb\x08|\xdb\x08.{8}(?:[\0-\x7f]|\x81.|\x82.{2})\x30/s;

/**
 * Does a file hold anything that was meant as a P1 telegram, valid or not? One that was is either used or refused
 * by name; what was not, such as the README of a folder of recordings, is nobody's meter.
 */
export async function beginsLikeTelegram(path: string): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(SNIFF_BYTES_MAX), 0, SNIFF_BYTES_MAX, 0);
    const text = buffer.toString('latin1', 0, bytesRead);
    return [HEADER_LINE, READING_LINE, ENCRYPTED].some((shape) => shape.test(text));
  } finally {
    await handle.close();
  }
}
