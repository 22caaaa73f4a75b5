import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../gateway/cli/up/ports.ts';
import type { DevelopmentPki } from '../../pki/development/development.ts';
import type { TenantId } from '../../protocol/identity.ts';

/** Debian puts it in sbin, which is not on every path. */
const MOSQUITTO = ['mosquitto', '/usr/sbin/mosquitto'].find(
  (file) => spawnSync(file, ['-h']).error === undefined,
);

export const mosquittoIsHere = MOSQUITTO !== undefined;

export const MOSQUITTO_ABSENT =
  'Mosquitto is not installed (apt-get install mosquitto): no ratio can be taken';

export interface Mosquitto {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Mosquitto as a peer to measure beside: mutual TLS, the same certificates as the front has, nothing persisted,
 * nothing logged.
 */
export async function startMosquitto(options: {
  readonly port: number;
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}): Promise<Mosquitto> {
  if (MOSQUITTO === undefined) throw new Error('mosquitto is not installed');
  const folder = mkdtempSync(join(tmpdir(), 'bench-mosquitto-'));
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const config = file(
    'mosquitto.conf',
    [
      'user root',
      'per_listener_settings false',
      'allow_anonymous true',
      'persistence false',
      'log_type none',
      'max_inflight_messages 20',
      // As the front does; without it each answer waits 40 ms for the one before to be acknowledged.
      'set_tcp_nodelay true',
      `listener ${options.port} 127.0.0.1`,
      `cafile ${file('ca.pem', options.authority)}`,
      `certfile ${file('server.pem', options.certificate)}`,
      `keyfile ${file('server.key', options.key)}`,
      'require_certificate true',
      '',
    ].join('\n'),
  );
  const child: ChildProcess = spawn(MOSQUITTO, ['-c', config], { stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilListening(options.port, child);
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid: child.pid!, port: options.port, stop };
}

/** Mosquitto for the devices of a tenant, or undefined where it is not installed. */
export async function startPeer(
  { layout }: DevelopmentPki,
  tenant: TenantId,
): Promise<Mosquitto | undefined> {
  if (!mosquittoIsHere) return undefined;
  const text = (file: string): string => readFileSync(file, 'utf8');
  const [port] = await freePorts(1);
  return startMosquitto({
    port: port!,
    authority: `${text(layout.issuing(tenant).certificate)}\n${text(layout.root.certificate)}`,
    certificate: text(layout.front.certificate),
    key: text(layout.front.key),
  });
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (child.exitCode !== null) throw new Error(`mosquitto ended with ${child.exitCode}`);
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    await delay(50);
  }
  throw new Error('mosquitto does not listen');
}
