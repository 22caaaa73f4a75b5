import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DeviceIdentity, saveDeviceIdentity } from '../../pki/development/development.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { MetersClock, MetersReady } from './protocol.ts';

export const MODBUS_PROFILE = 'sdm630';

/** M-Bus channel of the emulated meters on which the water meter is. */
const WATER_CHANNEL = 2;
/** Where no M-Bus meter is. */
const MODBUS_CHANNELS = [2, 3, 4] as const;

export interface EdgeOptions {
  readonly program: string;
  readonly nodeFlags: readonly string[];
  readonly folder: string;
  readonly port: number;
  readonly identities: readonly DeviceIdentity[];
  /** Whose the water meters are; null where there are none. */
  readonly water: TenantId | null;
  readonly clock: MetersClock;
  readonly meters: MetersReady;
  readonly jitterMs: number;
}

/** `hes edge run`, as it is started by hand or by systemd; resolves when it is ready. */
export async function startEdge(options: EdgeOptions): Promise<ChildProcess> {
  const { program, nodeFlags, folder } = options;
  const file = join(folder, 'edge.yaml');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(configOf(options)));
  const edge = fork(program, ['edge', 'run', '--config', file, '--log-level', 'warn'], {
    execArgv: [...nodeFlags],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ready = new Promise<void>((resolve, reject) => {
    edge.on('message', (message: { type?: string }) => {
      if (message.type === 'ready') resolve();
    });
    edge.once('exit', (code) => reject(new Error(`the edge ended with ${code}`)));
  });
  await ready;
  return edge;
}

export async function stopEdge(edge: ChildProcess): Promise<void> {
  edge.kill('SIGTERM');
  if (edge.exitCode === null && edge.signalCode === null) await once(edge, 'exit');
}

function configOf({ folder, port, identities, water, clock, meters, jitterMs }: EdgeOptions): object {
  const modbusEach = Math.floor(meters.modbus.length / identities.length);
  return {
    data: join(folder, 'data'),
    headEnd: { host: '127.0.0.1', port, servername: 'localhost' },
    development: true,
    clock: { kind: 'simulated', ...clock },
    schedule: { closeAfterSeconds: 5, jitterMs },
    devices: identities.map((identity, at) => ({
      identity: saveDeviceIdentity(join(folder, 'identities'), identity, { durable: false }),
      owners: water === null ? [] : [{ channel: WATER_CHANNEL, tenant: water }],
      sources: [
        { p1: { tcp: { host: '127.0.0.1', port: meters.p1[at] } } },
        ...meters.modbus.slice(at * modbusEach, (at + 1) * modbusEach).map((modbusPort, number) => ({
          modbus: {
            endpoint: { tcp: { host: '127.0.0.1', port: modbusPort } },
            everySeconds: 1,
            meters: [
              {
                profile: MODBUS_PROFILE,
                channel: MODBUS_CHANNELS[number],
                serial: `7000${String(100 * at + number).padStart(6, '0')}`,
              },
            ],
          },
        })),
      ],
    })),
  };
}
