import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type DeviceIdentity,
  issueDevice,
  openDevelopmentPki,
} from '../../../pki/development/development.ts';
import { openOfficeIdentity, readOfficeIdentity, readPassphrase } from '../../../pki/office/identity.ts';
import type { Command } from '../../../protocol/command/command.ts';
import { commandIdOf } from '../../../protocol/command/id.ts';
import { type Outcome, signOutcome } from '../../../protocol/command/outcome.ts';
import { type Report, type StateReport, signReport } from '../../../protocol/command/report.ts';
import { approveCommand, signCommand } from '../../../protocol/command/signed.ts';
import { type CommandType, rowOf } from '../../../protocol/command/table.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { sampleCommand } from '../../../protocol/testing/command-samples.ts';
import { parseConfig } from '../../runtime/config.ts';
import { Counters } from '../../runtime/counters.ts';
import { silentLog } from '../../runtime/log.ts';
import { seededRandom } from '../../runtime/random.ts';
import { deskConfig } from '../service/config.ts';
import type { MeterLine } from '../service/registry-file.ts';
import { type DeskParts, startDesk } from '../service/start.ts';
import { everybodyAwake, type FrontBehaviour, fakeBus } from './fake-bus.ts';

/** A desk as it runs, over real TLS and with the certificates of a development PKI; only its bus is played. */

export const ORES = 'ores' as TenantId;
export const RESA = 'resa' as TenantId;

/** EANs of samples, with right check digits. */
export const EANS = ['541448820000000017', '541448860000000013', '541448820000000024'] as const;

export type Person = 'operator' | 'approver' | 'supervisor' | 'prepayment' | 'lopex' | 'marco';

/** An office and a field of two tenants, made once for a file of tests. */
export function officeWorld() {
  const directory = mkdtempSync(join(tmpdir(), 'hes-office-'));
  const nowMs = Date.now();
  const { pki } = openDevelopmentPki({
    directory: join(directory, 'pki'),
    tenants: [ORES, RESA],
    nowMs,
    development: true,
  });
  const office = pki.layout.office;
  const people = new Map<string, ReturnType<typeof openOfficeIdentity>>();
  const person = (name: Person, tenant: TenantId = ORES) => {
    const known = people.get(`${tenant}/${name}`);
    if (known !== undefined) return known;
    const files = office.person(tenant, name);
    const opened = openOfficeIdentity(readOfficeIdentity(files.identity), readPassphrase(files.passphrase));
    people.set(`${tenant}/${name}`, opened);
    return opened;
  };
  const devices: readonly DeviceIdentity[] = [0, 1, 2].map(() => issueDevice(pki, { home: ORES, nowMs }));

  const meterLine = ({ device, home, agree }: DeviceIdentity, at: number): MeterLine => ({
    device,
    home,
    medium: 'electricity',
    channels: [{ channel: 0, medium: 'electricity', owner: home, ean: EANS[at]! }],
    certificate: agree.certificate,
  });
  const registry = join(directory, 'registry.jsonl');
  writeFileSync(registry, devices.map((device, at) => `${JSON.stringify(meterLine(device, at))}\n`).join(''));

  let drawn = 0;
  /** A command of now. */
  function command(type: CommandType, change: Partial<Command> = {}): Command {
    drawn += 1;
    const sample = sampleCommand(type);
    const notBefore = Math.floor(Date.now() / 1_000);
    return {
      ...sample,
      tenant: ORES,
      device: devices[0]!.device,
      id: commandIdOf(Buffer.from(drawn.toString(16).padStart(32, '0'), 'hex')),
      counter: Date.now() + drawn,
      notBefore,
      expiry: notBefore + rowOf(type).expirySeconds,
      ...change,
    } as Command;
  }
  const signed = (given: Command, by: Person = 'operator', tenant: TenantId = ORES): Uint8Array =>
    signCommand({ command: given, signer: person(by, tenant).signer });
  const approved = (bytes: Uint8Array, by: Person = 'approver'): Uint8Array =>
    approveCommand({ signed: bytes, signer: person(by).signer });
  const proposal = (given: Command, by?: Person) => ({
    device: given.device,
    signed: Buffer.from(signed(given, by)).toString('base64'),
  });

  const signerOf = (device: DeviceId) => {
    const { sign } = devices.find((each) => each.device === device)!;
    return {
      privateKey: createPrivateKey(sign.key),
      certificate: new X509Certificate(sign.certificate).raw,
    };
  };
  const outcomeOf = ({ device, id }: Pick<Command, 'device' | 'id'>): Uint8Array => {
    const time = Math.floor(Date.now() / 1_000);
    const outcome: Outcome = { tenant: ORES, device, command: id, time, state: 'executed', code: null };
    return signOutcome({ outcome, signer: signerOf(device) });
  };
  const reportOf = (device: DeviceId, said: Partial<StateReport>): Uint8Array => {
    const state = {
      airplaneSince: null,
      breaker: 'closed',
      creditMode: 'credit',
      tariffPlan: 'mono',
    } as const;
    const report = { tenant: ORES, device, time: Math.floor(Date.now() / 1_000), ...state, ...said };
    return signReport({ report, signer: signerOf(device) });
  };

  /** @param by whose signature key says so */
  const keyReportOf = (device: DeviceId, certificate: string, by: DeviceId = device): Uint8Array => {
    const der = new X509Certificate(certificate).raw;
    const report: Report = {
      tenant: ORES,
      device,
      time: Math.floor(Date.now() / 1_000),
      certificate: der,
    };
    return signReport({ report, signer: signerOf(by) });
  };

  async function startOffice(
    change: object = {},
    front: FrontBehaviour = everybodyAwake,
    parts: Partial<DeskParts> = {},
  ) {
    const config = parseConfig(deskConfig, {
      mode: 'development',
      tenant: ORES,
      database: join(mkdtempSync(join(directory, 'desk-')), 'ores.sqlite'),
      listen: { port: 0 },
      tls: office.desk(ORES),
      office: {
        root: office.root.certificate,
        issuing: [office.issuing(ORES).certificate],
        revocations: [office.crl(ORES)],
      },
      field: {
        root: pki.layout.root.certificate,
        issuers: [{ tenant: ORES, certificate: pki.layout.issuing(ORES).certificate }],
        revocations: [pki.layout.crl(ORES)],
      },
      registry,
      ...change,
    });
    const field = fakeBus(ORES, front);
    const counters = new Counters();
    const random = seededRandom('office');
    const running = await startDesk({ config, bus: field.bus, log: silentLog, counters, random, ...parts });
    return { ...running, field, counters, config };
  }

  return {
    directory,
    pki,
    office,
    person,
    devices,
    meterLine,
    registry,
    command,
    signed,
    approved,
    proposal,
    outcomeOf,
    reportOf,
    keyReportOf,
    startOffice,
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}
export type OfficeWorld = ReturnType<typeof officeWorld>;
export type RunningOffice = Awaited<ReturnType<OfficeWorld['startOffice']>>;

export interface Caller {
  readonly key?: string;
  readonly cert?: string;
  readonly ca?: string;
}

export interface Asked {
  readonly method?: string;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** One request over a connection of its own; resolves with the head of the answer. */
export function open(port: number, as: Caller, path: string, asked: Asked = {}): Promise<IncomingMessage> {
  const { method = 'GET', body, headers = {}, signal } = asked;
  return new Promise((resolve, reject) => {
    const sending = request(
      {
        ...as,
        host: '127.0.0.1',
        servername: 'localhost',
        port,
        path,
        method,
        agent: false,
        headers: {
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          ...headers,
        },
        ...(signal === undefined ? {} : { signal }),
      },
      resolve,
    );
    sending.on('error', reject);
    sending.end(body);
  });
}

export async function textOf(message: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of message.setEncoding('utf8') as AsyncIterable<string>) text += chunk;
  return text;
}

export interface Answered {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came
  readonly json: any;
}

export async function ask(port: number, as: Caller, path: string, asked?: Asked): Promise<Answered> {
  const message = await open(port, as, path, asked);
  const text = await textOf(message);
  return { status: message.statusCode ?? 0, json: text === '' ? undefined : JSON.parse(text) };
}

export const post = (port: number, as: Caller, path: string, body: unknown): Promise<Answered> =>
  ask(port, as, path, { method: 'POST', body: JSON.stringify(body) });
