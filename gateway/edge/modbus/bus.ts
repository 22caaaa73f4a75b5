import { isHesError } from '../../../protocol/errors.ts';
import { sleep } from '../../runtime/backoff.ts';
import type { Endpoint } from './endpoint.ts';
import { type Fault, faultOf, modbusError } from './faults.ts';
import { type Link, openLink } from './link.ts';
import type { ReadFunction } from './profile.ts';

export interface ReadRequest {
  readonly unit: number;
  readonly function: ReadFunction;
  readonly address: number;
  readonly count: number;
}

export interface BusOptions {
  /** How long a meter may take to answer, apart from what the line needs to carry the answer. */
  readonly answerWithinMs?: number;
  /** Asked so often in all before a fault is believed. */
  readonly attempts?: number;
}

/** Meters answer within 200 ms; gateways with several masters queue. */
export const ANSWER_WITHIN_MS = 1_000;
export const ATTEMPTS = 3;

/** Silence between two questions on a line: 3.5 characters by the standard, more by the older of the meters. */
const LINE_PAUSE_MS = 20;
/** After a fault on a line: what is still on its way must not be taken for the next answer. */
const LINE_SETTLE_MS = 250;
/**
 * While an answer is waited for on a serial port, the event loop looks for it so often by itself. It should be woken,
 * but pseudo-terminals of some kernels do not wake a loop that sleeps (seen with serialport 13 on Node 26).
 */
export const TICK_MS = 5;
/** A register is two bytes; start, parity or second stop bit, stop: eleven bits each. */
const BITS_PER_BYTE = 11;
const FRAME_BYTES = 13;
const TCP_CONNECT_WITHIN_MS = 5_000;

/**
 * One line or connection with meters on it. It has one master, so that one question is under way at a time; it is
 * opened when it is needed and again after it was lost.
 */
export class ModbusBus {
  readonly #endpoint: Endpoint;
  readonly #answerWithinMs: number;
  readonly #attempts: number;
  #link: Link | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(endpoint: Endpoint, options: BusOptions = {}) {
    this.#endpoint = endpoint;
    this.#answerWithinMs = options.answerWithinMs ?? ANSWER_WITHIN_MS;
    this.#attempts = options.attempts ?? ATTEMPTS;
  }

  /**
   * The registers asked for, exactly as many.
   * @throws ERR_MODBUS_CONNECT, ERR_MODBUS_PORT, and the faults of faults.ts after the last attempt
   */
  read(request: ReadRequest): Promise<Uint16Array> {
    const answer = this.#turn.then(() => this.#ask(request));
    this.#turn = answer.catch(() => {});
    return answer;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#drop();
  }

  async #ask(request: ReadRequest): Promise<Uint16Array> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#once(request);
      if (answer instanceof Uint16Array) return answer;
      if (answer.dirty) await this.#settle();
      if (!answer.again || attempt >= this.#attempts || this.#closed)
        throw modbusError(answer.code, answer.message, { ...request, attempts: attempt });
    }
  }

  async #once(request: ReadRequest): Promise<Uint16Array | Fault> {
    if (this.#closed) throw modbusError('ERR_MODBUS_CLOSED', 'the bus was closed');
    this.#link ??= await openLink(this.#endpoint, TCP_CONNECT_WITHIN_MS);
    const link = this.#link;
    if (link.isLine) await sleep(LINE_PAUSE_MS);
    link.heardBytes();
    const tick = 'serial' in this.#endpoint ? setInterval(() => {}, TICK_MS) : undefined;
    try {
      const { data } = await Promise.race([this.#question(link, request), link.lost]);
      return Uint16Array.from(data);
    } catch (error) {
      if (isHesError(error)) {
        await this.#drop();
        return { ...LOST, again: !this.#closed };
      }
      return heard(faultOf(error), link);
    } finally {
      clearInterval(tick);
    }
  }

  #question(
    { client }: Link,
    { unit, function: code, address, count }: ReadRequest,
  ): Promise<{ data: number[] }> {
    client.setID(unit);
    client.setTimeout(this.#answerWithinMs + this.#carryMs(count));
    return code === 3
      ? client.readHoldingRegisters(address, count)
      : client.readInputRegisters(address, count);
  }

  /** What a slow line needs for question and answer: a full frame at 2400 baud is more than a second. */
  #carryMs(count: number): number {
    if (!('serial' in this.#endpoint)) return 0;
    return Math.ceil(((2 * count + FRAME_BYTES) * BITS_PER_BYTE * 1_000) / this.#endpoint.serial.baud);
  }

  /**
   * Opened anew: the frames of TCP may be out of step, and a serial adapter that was pulled out is noticed only when
   * it is opened. A line is left quiet before.
   */
  async #settle(): Promise<void> {
    const isLine = this.#link?.isLine === true;
    await this.#drop();
    if (isLine) await sleep(LINE_SETTLE_MS);
  }

  async #drop(): Promise<void> {
    const link = this.#link;
    this.#link = null;
    await link?.close();
  }
}

const LOST: Fault = {
  code: 'ERR_MODBUS_CLOSED',
  message: 'the connection went away during the request',
  dirty: false,
  again: true,
};

/** Nothing came, or something that was no answer: the second is noise, a wrong speed or another protocol. */
function heard(fault: Fault, link: Link): Fault {
  if (fault.code !== 'ERR_MODBUS_TIMEOUT' || link.heardBytes() === 0) return fault;
  return link.isLine
    ? { ...fault, code: 'ERR_MODBUS_CRC', message: 'what came has no valid checksum' }
    : { ...fault, code: 'ERR_MODBUS_FRAME', message: 'what came is no Modbus answer' };
}
