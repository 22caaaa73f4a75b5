/**
 * Emulated meters behind TCP bridges, in a process of their own: what they cost is nobody's. Each sends a telegram a
 * second, spread over the second as meters that know nothing of each other do.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { offsetMinutesAt } from '../../gateway/edge/calendar.ts';
import { encodeTelegramBytes } from '../../meter-emulator/p1/encode.ts';
import { stateOf } from '../../meter-emulator/p1/example.ts';
import type { MetersReady, MetersRequest } from './protocol.ts';

const PERIOD_MS = 1_000;

/** A register moves this much a second: 3.6 kW. */
const WH_PER_SECOND = 1;

/** 115200 8N1: a start bit, eight of data and a stop bit. */
const BYTES_PER_MS = 11.52;

const { meters, blockBytes } = JSON.parse(process.argv[2]!) as MetersRequest;

/** A full e-MUCS telegram of this second: thirteen months of peaks, gas and water behind it. */
function telegram(meter: number, nowMs: number): Buffer {
  const epochSeconds = Math.floor(nowMs / 1_000);
  const time = { epochSeconds, offsetMinutes: offsetMinutesAt(epochSeconds) };
  const base = stateOf(meter);
  const counted = (epochSeconds % 86_400) * WH_PER_SECOND;
  return encodeTelegramBytes('emucs-2.1.1', {
    ...base,
    time,
    importWh: [base.importWh[0] + counted, base.importWh[1]],
    quarterPowerW: 3_000 + (epochSeconds % 900),
    phases: base.phases.map((phase) => ({ ...phase, voltageDeciV: phase.voltageDeciV + (epochSeconds % 7) })),
    devices: base.devices.map((device) => ({
      ...device,
      // M-Bus is asked every five minutes.
      time: { ...time, epochSeconds: epochSeconds - (epochSeconds % 300) },
    })),
  });
}

/** As ser2net passes on what a serial port gives it, or whole as most P1 bridges do. */
function send(socket: Socket, bytes: Buffer, from = 0): void {
  if (socket.destroyed) return;
  if (blockBytes === null) {
    socket.write(bytes);
    return;
  }
  socket.write(bytes.subarray(from, from + blockBytes));
  if (from + blockBytes < bytes.length)
    setTimeout(() => send(socket, bytes, from + blockBytes), blockBytes / BYTES_PER_MS);
}

async function serve(meter: number): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  // Counted from one beginning: a timer that fires a little early must not send twice.
  let dueMs = performance.now() + (PERIOD_MS * meter) / meters;
  const turn = (): void => {
    dueMs += PERIOD_MS;
    setTimeout(turn, Math.max(0, dueMs - performance.now()));
    if (sockets.size === 0) return;
    // The encoder's bytes are shared, and a block may have to wait.
    const bytes = Buffer.from(telegram(meter, Date.now()));
    for (const socket of sockets) send(socket, bytes);
  };
  setTimeout(turn, (PERIOD_MS * meter) / meters);
  return (server.address() as { port: number }).port;
}

const ports = await Promise.all(Array.from({ length: meters }, (_, meter) => serve(meter)));
const ready: MetersReady = { ports, telegramBytes: telegram(0, Date.now()).length };
process.send!(ready);
process.on('disconnect', () => process.exit(0));
