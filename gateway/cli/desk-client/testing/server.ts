import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { officeLayout } from '../../../../pki/files/layout.ts';
import { loadDeskServerKey } from '../../../../pki/keys/keys.ts';
import { makeOfficeIfAbsent } from '../../../../pki/office/development.ts';
import {
  type OpenedOfficeIdentity,
  openOfficeIdentity,
  readOfficeIdentity,
  readPassphrase,
} from '../../../../pki/office/identity.ts';
import { FLUVIUS, ORES } from './desk.ts';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Somebody who answers as a test says, with the certificate of a desk: for what a real desk does seldom. */
export interface OddServer {
  readonly url: URL;
  readonly operator: OpenedOfficeIdentity;
  /** How the next requests are answered, one after the other; the last for all that follow. */
  answer(...handlers: readonly Handler[]): void;
  /** Paths that were asked for. */
  readonly asked: string[];
  dropConnections(): void;
  close(): Promise<void>;
}

export async function startOddServer(): Promise<OddServer> {
  const folder = mkdtempSync(join(tmpdir(), 'hes-odd-'));
  mkdirSync(join(folder, 'pki'));
  const layout = officeLayout(join(folder, 'pki', 'office'));
  makeOfficeIfAbsent(layout, [ORES, FLUVIUS], Date.now());
  const { cert, key } = loadDeskServerKey(layout.desk(ORES), { tenant: ORES, development: true });
  const ca = readFileSync(layout.root.certificate, 'utf8');
  let handlers: Handler[] = [];
  const asked: string[] = [];
  const server = createServer(
    { cert, key, ca, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      asked.push(`${request.method} ${request.url}`);
      const handler = handlers.length > 1 ? handlers.shift()! : handlers[0]!;
      handler(request, response);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const files = layout.person(ORES, 'operator');
  const operator = openOfficeIdentity(readOfficeIdentity(files.identity), readPassphrase(files.passphrase));
  return {
    url: new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`),
    operator,
    asked,
    answer(...given) {
      handlers = [...given];
      asked.length = 0;
    },
    dropConnections: () => server.closeAllConnections(),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const says =
  (status: number, body: unknown, type = 'application/json'): Handler =>
  (_, response) => {
    response.writeHead(status, { 'content-type': type });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

/** The request arrives, and its answer never does. */
export const cutsOff: Handler = (request) => {
  request.socket.destroy();
};
