/**
 * Emulated meters behind TCP bridges, in a process of their own: what they cost is nobody's. Each sends a telegram a
 * second, spread over the second as meters that know nothing of each other do. Modbus meters answer when asked.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { offsetMinutesAt } from '../../gateway/edge/days/calendar.ts';
import { profileNamed } from '../../gateway/edge/modbus/profiles.ts';
import { type Clock, simulatedClock, systemClock } from '../../gateway/runtime/clock.ts';
import { ModbusDevice } from '../../meter-emulator/modbus/device.ts';
import { modbusMeterOf } from '../../meter-emulator/modbus/meter.ts';
import { registerImage } from '../../meter-emulator/modbus/registers.ts';
import { serveModbusTcp } from '../../meter-emulator/modbus/server.ts';
import { encodeTelegramBytes, type P1MeterState } from '../../meter-emulator/p1/encode.ts';
import { stateOf } from '../../meter-emulator/p1/example.ts';
import { MODBUS_PROFILE } from './process.ts';
import type { MetersClock, MetersReady, MetersRequest } from './protocol.ts';

const PERIOD_MS = 1_000;

/** A register moves this much a second: 3.6 kW. */
const WH_PER_SECOND = 1;

/** 115200 8N1: a start bit, eight of data and a stop bit. */
const BYTES_PER_MS = 11.52;

const { p1, modbus, mbus, blockBytes } = JSON.parse(process.argv[2]!) as MetersRequest;
/** Until one is told, the meters are mute. */
let clock: Clock | null = null;
process.on('message', (told: MetersClock) => {
  clock = simulatedClock(told);
});

/** A meter at this second: three phases, thirteen months of peaks, what hangs on its M-Bus. */
function stateNow(meter: number): P1MeterState {
  const epochSeconds = Math.floor((clock ?? systemClock).nowMs() / 1_000);
  const time = { epochSeconds, offsetMinutes: offsetMinutesAt(epochSeconds) };
  const base = stateOf(meter);
  const counted = (epochSeconds % 864_000) * WH_PER_SECOND;
  // M-Bus is asked every five minutes.
  const captured = { ...time, epochSeconds: epochSeconds - (epochSeconds % 300) };
  return {
    ...base,
    time,
    importWh: [base.importWh[0] + counted, base.importWh[1]],
    quarterPowerW: 3_000 + (epochSeconds % 900),
    phases: base.phases.map((phase) => ({ ...phase, voltageDeciV: phase.voltageDeciV + (epochSeconds % 7) })),
    devices: mbus ? base.devices.map((device) => ({ ...device, time: captured })) : [],
  };
}

const telegram = (meter: number): Buffer => encodeTelegramBytes('emucs-2.1.1', stateNow(meter));

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

async function serveP1(meter: number): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  // Counted from one beginning: a timer that fires a little early must not send twice.
  let dueMs = performance.now() + (PERIOD_MS * meter) / p1;
  const turn = (): void => {
    dueMs += PERIOD_MS;
    setTimeout(turn, Math.max(0, dueMs - performance.now()));
    if (clock === null || sockets.size === 0) return;
    // The encoder's bytes are shared, and a block may have to wait.
    const bytes = Buffer.from(telegram(meter));
    for (const socket of sockets) send(socket, bytes);
  };
  setTimeout(turn, (PERIOD_MS * meter) / p1);
  return (server.address() as { port: number }).port;
}

async function serveModbus(meter: number): Promise<number> {
  const profile = profileNamed(MODBUS_PROFILE);
  const image = () => registerImage(profile, modbusMeterOf(profile, stateNow(p1 + meter)));
  return (await serveModbusTcp([new ModbusDevice({ profile, unit: null, image })])).port;
}

const ready: MetersReady = {
  p1: await Promise.all(Array.from({ length: p1 }, (_, meter) => serveP1(meter))),
  modbus: await Promise.all(Array.from({ length: modbus }, (_, meter) => serveModbus(meter))),
  telegramBytes: telegram(0).length,
};
process.send!(ready);
process.on('disconnect', () => process.exit(0));
