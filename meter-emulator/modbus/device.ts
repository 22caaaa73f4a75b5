import type { ModbusProfile } from '../../gateway/edge/modbus/profile.ts';
import type { ModbusFault } from './faults.ts';
import { type RegisterImage, registerKey } from './registers.ts';

const EXCEPTION = { function: 1, address: 2, value: 3 } as const;

/** The most that any meter answers to (Modbus Application Protocol V1.1b3 §6.3). */
const COUNT_MAX = 125;

export interface ModbusDeviceOptions {
  readonly profile: ModbusProfile;
  /** The unit id that it answers to; any when null, as meters with an Ethernet socket of their own do. */
  readonly unit: number | null;
  /** Its registers now. */
  readonly image: () => RegisterImage;
}

/** A meter on a line: questions in, answers out, with the limits of the real one. */
export class ModbusDevice {
  readonly #options: ModbusDeviceOptions;
  /** Taken off from the front, one a question; then all is well again. */
  readonly faults: ModbusFault[] = [];
  /** What goes wrong with every question until it is taken away. */
  standing: ModbusFault | null = null;
  /** Questions that it heard, for tests of reading plans. */
  readonly asked: { readonly function: number; readonly address: number; readonly count: number }[] = [];

  constructor(options: ModbusDeviceOptions) {
    this.#options = options;
  }

  listensTo(unit: number): boolean {
    return this.#options.unit === null || this.#options.unit === unit;
  }

  nextFault(): ModbusFault | null {
    return this.faults.shift() ?? this.standing;
  }

  /** The answer's function and data (the PDU) to a question's. */
  answer(question: Buffer, fault: ModbusFault | null): Buffer {
    const code = question[0]!;
    if (fault?.kind === 'exception') return exception(code, fault.code);
    const { profile } = this.#options;
    if (question.length !== 5 || !functionsOf(profile).has(code)) return exception(code, EXCEPTION.function);
    const address = question.readUInt16BE(1);
    const count = question.readUInt16BE(3);
    if (this.asked.length < ASKED_MAX) this.asked.push({ function: code, address, count });
    const { registersMax, even } = profile.limits;
    if (count < 1 || count > COUNT_MAX || count > registersMax) return exception(code, EXCEPTION.value);
    if (even && code === profile.function && (address % 2 !== 0 || count % 2 !== 0))
      return exception(code, EXCEPTION.address);
    const words = this.#words(code, address, count);
    if (words === null) return exception(code, EXCEPTION.address);
    if (fault?.kind === 'swappedWords') swapPairs(words);
    return registersPdu(code, fault?.kind === 'short' ? words.slice(0, -1) : words);
  }

  #words(code: number, address: number, count: number): number[] | null {
    const image = this.#options.image();
    const words: number[] = [];
    for (let index = 0; index < count; index++) {
      const word = image.get(registerKey(code, address + index));
      if (word === undefined) return null;
      words.push(word);
    }
    return words;
  }
}

/** A test asks a few dozen questions; an emulator that runs for a month must not grow. */
const ASKED_MAX = 1_000;

function functionsOf({
  function: code,
  registers,
  instants,
  serialNumber,
  identify,
}: ModbusProfile): Set<number> {
  const entries = [...registers, ...instants, serialNumber, identify];
  return new Set([code, ...entries.flatMap((entry) => entry?.function ?? [])]);
}

function exception(code: number, what: number): Buffer {
  return Buffer.from([code | 0x80, what]);
}

function registersPdu(code: number, words: readonly number[]): Buffer {
  const pdu = Buffer.alloc(2 + 2 * words.length);
  pdu[0] = code;
  pdu[1] = 2 * words.length;
  words.forEach((word, index) => {
    pdu.writeUInt16BE(word, 2 + 2 * index);
  });
  return pdu;
}

function swapPairs(words: number[]): void {
  for (let index = 0; index + 1 < words.length; index += 2)
    [words[index], words[index + 1]] = [words[index + 1]!, words[index]!];
}
