import { createServer, type Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { SerialPort } from 'serialport';
import { TICK_MS } from '../../gateway/edge/modbus/bus.ts';
import type { SerialEndpoint } from '../../gateway/edge/modbus/endpoint.ts';
import { sleep } from '../../gateway/runtime/backoff.ts';
import { HesError } from '../../protocol/errors.ts';
import type { ModbusDevice } from './device.ts';
import type { ModbusEmulatorErrorCode } from './errors.ts';
import type { ModbusFault } from './faults.ts';
import { type Framing, type Question, rtuFraming, tcpFraming } from './framing.ts';

/** Masters at once; a meter's own socket takes two to four. */
const CONNECTIONS_MAX = 16;

export interface ModbusServer {
  /** The TCP port; 0 on a serial line. */
  readonly port: number;
  stop(): Promise<void>;
}

export interface ModbusTcpOptions {
  readonly host?: string;
  readonly port?: number;
  /** RTU frames over TCP, as a plain serial server gives them. */
  readonly rtu?: boolean;
}

/** Several devices are several units on one line. @throws ERR_MODBUS_EMULATOR_LISTEN */
export async function serveModbusTcp(
  devices: readonly ModbusDevice[],
  { host = '127.0.0.1', port = 0, rtu = false }: ModbusTcpOptions = {},
): Promise<ModbusServer> {
  const sockets = new Set<Duplex>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    attach(socket, devices, rtu ? rtuFraming : tcpFraming);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listening(server, host, port);
  return {
    port: (server.address() as { port: number }).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Meters on a serial line, or on one end of a pair of pseudo-terminals. @throws ERR_MODBUS_EMULATOR_LISTEN */
export async function serveModbusSerial(
  devices: readonly ModbusDevice[],
  { path, baud, parity, stopBits }: SerialEndpoint,
): Promise<ModbusServer> {
  const port = new SerialPort({ path, baudRate: baud, dataBits: 8, parity, stopBits, autoOpen: false });
  await new Promise<void>((resolve, reject) => {
    port.open((error) => {
      if (error === null) resolve();
      else reject(cannotListen(path, error));
    });
  });
  attach(port, devices, rtuFraming);
  const tick = setInterval(() => {}, TICK_MS);
  return {
    port: 0,
    stop: () => {
      clearInterval(tick);
      return new Promise((resolve) => port.close(() => resolve()));
    },
  };
}

/** Meters on any stream of RTU frames, such as one's own end of a pseudo-terminal. */
export function serveModbusStream(stream: Duplex, devices: readonly ModbusDevice[]): void {
  attach(stream, devices, rtuFraming);
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(`${host}:${port}`, error)));
    server.listen(port, host, resolve);
  });
}

function cannotListen(where: string, cause: Error): HesError<ModbusEmulatorErrorCode> {
  return new HesError('ERR_MODBUS_EMULATOR_LISTEN', `cannot serve on ${where}: ${cause.message}`, { cause });
}

function attach(stream: Duplex, devices: readonly ModbusDevice[], framing: Framing): void {
  let bytes: Buffer = Buffer.alloc(0);
  stream.on('error', () => {});
  stream.on('data', (data: Buffer) => {
    bytes = Buffer.concat([bytes, data]);
    for (;;) {
      const { question, rest } = framing.take(bytes);
      bytes = rest;
      if (question === null) return;
      void answer(stream, devices, framing, question);
    }
  });
}

async function answer(
  stream: Duplex,
  devices: readonly ModbusDevice[],
  framing: Framing,
  question: Question,
): Promise<void> {
  const device = devices.find((one) => one.listensTo(question.unit));
  if (device === undefined) return;
  const fault = device.nextFault();
  const frame = framing.wrap(question, device.answer(question.pdu, fault), fault);
  if (fault?.kind === 'hangUp') stream.destroy();
  if (fault?.kind === 'late') await sleep(fault.ms);
  const bytes = spoiled(frame, fault);
  if (bytes !== null && !stream.destroyed) stream.write(bytes);
}

function spoiled(frame: Buffer, fault: ModbusFault | null): Uint8Array | null {
  switch (fault?.kind) {
    case 'silence':
    case 'hangUp':
      return null;
    case 'garbage':
      return fault.bytes;
    case 'cut':
      return frame.subarray(0, Math.floor(frame.length / 2));
    case 'crc':
      frame[frame.length - 3]! ^= 0x10;
      return frame;
    default:
      return frame;
  }
}
