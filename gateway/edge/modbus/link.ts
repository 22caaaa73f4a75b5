import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import modbus from 'modbus-serial';
import { SerialPort } from 'serialport';
import { type Endpoint, endpointText, type SerialEndpoint } from './endpoint.ts';
import { modbusError } from './faults.ts';
import { RtuPort } from './rtu-port.ts';

type Client = InstanceType<typeof modbus.default>;

/** An open way to meters. */
export interface Link {
  readonly client: Client;
  /** Rejects with ERR_MODBUS_CLOSED when the far end, or the port, goes away. */
  readonly lost: Promise<never>;
  /** Bytes that came since the last question: silence and noise are different faults. */
  heardBytes(): number;
  readonly isLine: boolean;
  close(): Promise<void>;
}

/** An answer has at most 260 bytes; whoever sends more than this unasked is no meter. */
const UNASKED_BYTES_MAX = 4_096;

/** @throws ERR_MODBUS_CONNECT, ERR_MODBUS_PORT */
export async function openLink(endpoint: Endpoint, withinMs: number): Promise<Link> {
  if ('serial' in endpoint) return lineLink(await openSerial(endpoint.serial), closeSerial);
  const socket = await openSocket(endpoint, withinMs);
  if ('rtuTcp' in endpoint) return lineLink(socket, closeSocket);
  return tcpLink(socket);
}

async function lineLink<Stream extends Duplex>(
  stream: Stream,
  closeStream: (stream: Stream) => Promise<void>,
): Promise<Link> {
  const port = new RtuPort(stream);
  const client = new modbus.default(port);
  await new Promise<void>((resolve) => client.open(() => resolve()));
  return {
    client,
    lost: lostWith(stream, client),
    heardBytes: () => port.heardBytes,
    isLine: true,
    close: () => closeStream(stream),
  };
}

async function tcpLink(socket: Socket): Promise<Link> {
  let bytes = 0;
  socket.on('data', (data: Buffer) => {
    bytes += data.length;
    if (bytes > UNASKED_BYTES_MAX) socket.destroy();
  });
  const client = new modbus.default();
  // The port is asked for by the type alone: the socket is connected already.
  await client.linkTCP(socket, { port: socket.remotePort ?? 0 });
  return {
    client,
    lost: lostWith(socket, client),
    heardBytes: () => {
      const heard = bytes;
      bytes = 0;
      return heard;
    },
    isLine: false,
    close: () => closeSocket(socket),
  };
}

function lostWith(stream: Duplex, client: Client): Promise<never> {
  // Faults of a stream end in its 'close'; an error event that nobody hears would end the process.
  stream.on('error', () => {});
  client.on('error', () => {});
  const lost = new Promise<never>((_, reject) => {
    stream.once('close', () => reject(modbusError('ERR_MODBUS_CLOSED', 'the connection went away')));
  });
  lost.catch(() => {});
  return lost;
}

function openSocket(endpoint: Exclude<Endpoint, { serial: unknown }>, withinMs: number): Promise<Socket> {
  const { host, port } = 'tcp' in endpoint ? endpoint.tcp : endpoint.rtuTcp;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, keepAlive: true });
    const failed = (cause: unknown): void => {
      socket.destroy();
      const why = (cause as NodeJS.ErrnoException | undefined)?.code ?? 'no answer in time';
      reject(modbusError('ERR_MODBUS_CONNECT', `cannot reach ${endpointText(endpoint)} (${why})`, {}, cause));
    };
    const timer = setTimeout(() => failed(undefined), withinMs);
    socket.on('error', (error) => {
      clearTimeout(timer);
      failed(error);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

function openSerial({ path, baud, parity, stopBits }: SerialEndpoint): Promise<SerialPort> {
  const port = new SerialPort({ path, baudRate: baud, dataBits: 8, parity, stopBits, autoOpen: false });
  return new Promise((resolve, reject) => {
    port.open((error) => {
      if (error === null) resolve(port);
      else reject(modbusError('ERR_MODBUS_PORT', `cannot open ${path}: ${error.message}`, {}, error));
    });
  });
}

async function closeSocket(socket: Socket): Promise<void> {
  socket.destroy();
}

function closeSerial(port: SerialPort): Promise<void> {
  return new Promise((resolve) => {
    if (port.isOpen) port.close(() => resolve());
    else resolve();
  });
}
