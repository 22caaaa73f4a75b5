import { createServer, type Server, type Socket } from 'node:net';
import { planReads } from '../../gateway/edge/modbus/plan.ts';
import type { ModbusProfile } from '../../gateway/edge/modbus/profile.ts';
import { ModbusDevice } from '../../meter-emulator/modbus/device.ts';
import type { ModbusFault } from '../../meter-emulator/modbus/faults.ts';
import { type Question, tcpFraming } from '../../meter-emulator/modbus/framing.ts';
import { modbusMeterOf } from '../../meter-emulator/modbus/meter.ts';
import { type RegisterImage, registerImage } from '../../meter-emulator/modbus/registers.ts';
import type { P1MeterState } from '../../meter-emulator/p1/state.ts';

/**
 * A Modbus meter on TCP that lets its reader in once for each moment that it is opened for: the first question of a
 * reading waits until then, and all of the reading is answered from that moment's registers. The first question of
 * the next one proves that the reading before it was taken.
 */
export class ModbusGate {
  readonly #device: ModbusDevice;
  readonly #profile: ModbusProfile;
  readonly #first: { readonly function: number; readonly address: number };
  #image: RegisterImage = new Map();
  #fault: ModbusFault | null = null;
  #open = false;
  #waiting: { readonly socket: Socket; readonly enter: () => void } | null = null;
  #server: Server | null = null;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  /** Readings begun. */
  readings = 0;

  constructor(profile: ModbusProfile) {
    this.#profile = profile;
    this.#first = planReads([...profile.registers, ...profile.instants], profile)[0]!;
    this.#device = new ModbusDevice({ profile, unit: null, image: () => this.#image });
  }

  get port(): number {
    return this.#port;
  }

  /** A reader stands at the gate: what it read before, it has taken. */
  get isHeld(): boolean {
    return this.#waiting !== null;
  }

  /**
   * Let one reading through, of these registers, or of what a fault makes of them: one that the reader notices at
   * once (not silence, which is waited for).
   */
  open(state: P1MeterState, fault: ModbusFault | null = null): void {
    this.#image = registerImage(this.#profile, modbusMeterOf(this.#profile, state));
    this.#fault = fault;
    this.#open = true;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null && !waiting.socket.destroyed) waiting.enter();
  }

  /** Nobody came in time. */
  shut(): void {
    this.#open = false;
  }

  async plug(): Promise<void> {
    if (this.#server !== null) return;
    const server = createServer({ noDelay: true }, (socket) => this.#attach(socket));
    await new Promise<void>((listening) => server.listen(this.#port, '127.0.0.1', listening));
    this.#server = server;
    this.#port = (server.address() as { port: number }).port;
  }

  async unplug(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    await new Promise<void>((closed) => {
      server.close(() => closed());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  #attach(socket: Socket): void {
    let bytes: Buffer = Buffer.alloc(0);
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      // One that hung up is soon followed by one that comes, whose turn it stays.
      if (this.#waiting?.socket === socket) this.#waiting = null;
    });
    socket.on('data', (block: Buffer) => {
      bytes = Buffer.concat([bytes, block]);
      for (;;) {
        const { question, rest } = tcpFraming.take(bytes);
        bytes = rest;
        if (question === null) return;
        this.#asked(socket, question);
      }
    });
  }

  #asked(socket: Socket, question: Question): void {
    const isFirst =
      question.pdu[0] === this.#first.function && question.pdu.readUInt16BE(1) === this.#first.address;
    if (!isFirst) {
      this.#answer(socket, question);
      return;
    }
    const enter = (): void => {
      this.#open = false;
      this.readings += 1;
      this.#answer(socket, question);
    };
    if (this.#open) enter();
    else this.#waiting = { socket, enter };
  }

  #answer(socket: Socket, question: Question): void {
    if (socket.destroyed) return;
    if (this.#fault?.kind === 'hangUp') {
      socket.destroy();
      return;
    }
    const frame = tcpFraming.wrap(question, this.#device.answer(question.pdu, this.#fault), this.#fault);
    socket.write(frame);
  }
}
