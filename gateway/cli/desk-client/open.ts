import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenedOfficeIdentity } from '../../../pki/office/identity.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { usage } from '../errors.ts';
import { type DeskClient, deskClient } from './client.ts';
import { connectDesk } from './connection.ts';
import { clientError } from './errors.ts';
import type { DeskFlags } from './flags.ts';
import { DATA_DEFAULT, type Person, personOf } from './person.ts';
import { processTerminal, type Terminal } from './terminal.ts';

/** Somebody at his desk: who he is, what he signs with, and the way there. */
export interface AtDesk {
  readonly person: Person;
  readonly opened: OpenedOfficeIdentity;
  readonly client: DeskClient;
  readonly terminal: Terminal;
}

/**
 * @throws what `personOf` and `Person.open` throw; ERR_OP_NO_DESK where nothing says where the desk is. Nothing is
 *   sent yet.
 */
export async function openDesk(flags: DeskFlags, terminal: Terminal = processTerminal()): Promise<AtDesk> {
  const person = personOf(flags, terminal);
  const url = deskUrl(flags, person);
  const opened = await person.open();
  return { person, opened, client: deskClient(connectDesk(url, opened.tls)), terminal };
}

/** Do something at a desk, and leave no connection open behind it: the process can end. */
export async function atDesk<T>(flags: DeskFlags, work: (desk: AtDesk) => Promise<T>): Promise<T> {
  const desk = await openDesk(flags);
  try {
    return await work(desk);
  } finally {
    desk.client.close();
  }
}

/** What was said, what the identity says, or what runs on this machine. */
export function deskUrl(flags: DeskFlags, { identity }: Pick<Person, 'identity'>): URL {
  const { tenant, desk } = identity;
  const said = flags.desk ?? desk;
  if (said !== undefined) return httpsUrl(said);
  const data = flags.data ?? DATA_DEFAULT;
  const running = runningDesks(join(data, 'desks.json'))[tenant];
  if (running !== undefined) return httpsUrl(running);
  throw noDesk(tenant, data);
}

const noDesk = (tenant: TenantId, data: string): Error =>
  clientError(
    'ERR_OP_NO_DESK',
    `no desk of ${tenant} runs with the data folder ${data}: start it (npm start), or name one with --desk URL`,
  );

function httpsUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || url.protocol !== 'https:' || url.pathname !== '/' || url.username !== '')
    throw usage(`--desk ${text}: it is an address as https://desk.example:8443`);
  return url;
}

/** `hes up` writes it while it runs. */
function runningDesks(file: string): Readonly<Record<string, string | undefined>> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, string>) : {};
  } catch {
    // None runs, or one is just being started or stopped.
    return {};
  }
}
