/**
 * Enrolment over EST: devices that come with a code, make three keys and are given three certificates, and devices that
 * renew them, over real TLS with a full handshake for each device and a register on the disk. Beside it the same
 * handshakes, verifications and signatures with nothing around them.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as httpsRequest } from 'node:https';
import { CREDENTIAL_NAMES, CREDENTIALS, type CredentialName } from '../pki/enrolment/request.ts';
import { writeCertificateRequest } from '../pki/enrolment/request-write.ts';
import { readCertsOnly } from '../pki/est/cms.ts';
import { newKeyPair } from '../pki/x509/certify.ts';
import { derOf, toPem } from '../pki/x509/pem.ts';
import type { Bench } from './lib/bench.ts';
import { median, round } from './lib/statistics.ts';

/** Devices of one turn; every device of all turns is one that nobody has seen before. */
const FULL = { turns: 7, each: 100 } as const;
const QUICK = { turns: 1, each: 4 } as const;
const WARM_TURNS = 1;
/** Devices at once: a CA that is not idle between two packets. */
const LANES = 8;
const KEYS = CREDENTIAL_NAMES.length;

interface Told {
  readonly codes: readonly string[];
  readonly root: string;
  readonly est: number;
  readonly floor: number;
}

/** As est-server.ts registers them. */
export const nameOf = (number: number): string => number.toString(16).padStart(16, '0');

type Client = { readonly auth: string } | { readonly cert: string; readonly key: string };
type Requests = Readonly<Record<CredentialName, string>>;

interface Device {
  readonly code: string;
  readonly first: Requests;
  readonly second: Requests;
  readonly key: string;
  /** Of TLS, once it is enrolled. */
  cert: string;
}

async function requestsFor(
  commonName: string,
  keys: Readonly<Record<CredentialName, ReturnType<typeof newKeyPair>>>,
): Promise<Requests> {
  const made: [CredentialName, string][] = [];
  for (const use of CREDENTIAL_NAMES) {
    const asked = { profile: CREDENTIALS[use], commonName, uris: [] };
    const pem = await writeCertificateRequest(keys[use], asked);
    made.push([use, Buffer.from(derOf('CERTIFICATE REQUEST', pem)).toString('base64')]);
  }
  return Object.fromEntries(made) as unknown as Requests;
}

const newKeys = () => ({ tls: newKeyPair(), sign: newKeyPair(), agree: newKeyPair() });

async function newDevice(name: string, code: string): Promise<Device> {
  const keys = newKeys();
  return {
    code,
    first: await requestsFor(name, keys),
    second: await requestsFor(name, newKeys()),
    key: keys.tls.privateKeyPem,
    cert: '',
  };
}

/** One connection, one full handshake, three requests. @returns the first answer */
async function visit(
  at: { readonly port: number; readonly root: string },
  client: Client,
  operation: string,
  requests: Requests,
): Promise<string> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, maxCachedSessions: 0 });
  const post = (use: CredentialName): Promise<string> =>
    new Promise((resolve, reject) => {
      const body = requests[use];
      const asked = httpsRequest(
        {
          host: '127.0.0.1',
          servername: 'localhost',
          port: at.port,
          ca: at.root,
          agent,
          method: 'POST',
          path: `/.well-known/est/${use}/${operation}`,
          headers: { 'content-type': 'application/pkcs10', 'content-length': body.length },
          ...client,
        },
        (response) => {
          let text = '';
          response.setEncoding('latin1');
          response.on('data', (piece: string) => {
            text += piece;
          });
          response.on('end', () =>
            response.statusCode === 200
              ? resolve(text)
              : reject(new Error(`${response.statusCode}: ${text}`)),
          );
        },
      );
      asked.on('error', reject);
      asked.end(body);
    });
  const answers: string[] = [];
  for (const use of CREDENTIAL_NAMES) answers.push(await post(use));
  agent.destroy();
  return answers[0]!;
}

async function inLanes<T>(list: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = [...list];
  const lane = async (): Promise<void> => {
    for (let one = left.pop(); one !== undefined; one = left.pop()) await work(one);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

export const bench: Bench = {
  what: 'Devices enrolled and renewed over EST, with all three keys, beside bare TLS handshakes and signatures.',

  async run({ quick, progress }) {
    const { turns, each } = quick ? QUICK : FULL;
    const all = turns + WARM_TURNS;
    const server = fork(new URL('./est-server.ts', import.meta.url), [String(all * each)]);
    const [told] = (await once(server, 'message')) as [Told];
    const cpu = async (): Promise<number> => {
      server.send('cpu');
      const [{ cpuMicroseconds }] = (await once(server, 'message')) as [{ cpuMicroseconds: number }];
      return cpuMicroseconds;
    };
    const contenders: Readonly<Record<string, (device: Device) => Promise<void>>> = {
      async enrolled(device) {
        const answer = await visit(at('est'), { auth: `i:${device.code}` }, 'simpleenroll', device.first);
        device.cert = toPem('CERTIFICATE', readCertsOnly(Buffer.from(answer, 'base64'))[0]!);
      },
      async floorOfEnrolment({ code, first }) {
        await visit(at('floor'), { auth: `i:${code}` }, 'simpleenroll', first);
      },
      async renewed({ cert, key, second }) {
        await visit(at('est'), { cert, key }, 'simplereenroll', second);
      },
      async floorOfRenewal({ cert, key, second }) {
        await visit(at('floor'), { cert, key }, 'simplereenroll', second);
      },
    };
    const at = (which: 'est' | 'floor') => ({ port: told[which], root: told.root });
    const cpuMicroseconds = Object.fromEntries(Object.keys(contenders).map((name) => [name, [] as number[]]));
    const perSecond = Object.fromEntries(Object.keys(contenders).map((name) => [name, [] as number[]]));
    for (let turn = 0; turn < all; turn++) {
      progress(`turn ${turn + 1} of ${all}`);
      const devices: Device[] = [];
      for (let number = turn * each; number < (turn + 1) * each; number++)
        devices.push(await newDevice(nameOf(number), told.codes[number]!));
      for (const [name, work] of Object.entries(contenders)) {
        const before = await cpu();
        const startedMs = performance.now();
        await inLanes(devices, work);
        const elapsedMs = performance.now() - startedMs;
        if (turn < WARM_TURNS) continue;
        cpuMicroseconds[name]!.push(((await cpu()) - before) / each);
        perSecond[name]!.push((each / elapsedMs) * 1_000);
      }
    }
    server.disconnect();
    const of = (name: string): number => median(cpuMicroseconds[name]!);
    const aSecond = (name: string): number => round(median(perSecond[name]!) * KEYS, 0);
    return {
      ratios: [
        {
          name: 'enrolment of a device to its handshake and signatures alone, CPU of the server',
          value: round(of('floorOfEnrolment') / of('enrolled'), 2),
        },
        {
          name: 'renewal of a device to its handshake and signatures alone, CPU of the server',
          value: round(of('floorOfRenewal') / of('renewed'), 2),
        },
      ],
      figures: [
        {
          name: 'certificates by enrolment, as the clock has it',
          value: aSecond('enrolled'),
          unit: 'a second',
        },
        { name: 'certificates by renewal, as the clock has it', value: aSecond('renewed'), unit: 'a second' },
        {
          name: 'floor of enrolment, as the clock has it',
          value: aSecond('floorOfEnrolment'),
          unit: 'a second',
        },
        { name: 'floor of renewal, as the clock has it', value: aSecond('floorOfRenewal'), unit: 'a second' },
        {
          name: 'certificates by enrolment, a core of the server',
          value: round((KEYS * 1_000_000) / of('enrolled'), 0),
          unit: 'a second',
        },
        {
          name: 'certificates by renewal, a core of the server',
          value: round((KEYS * 1_000_000) / of('renewed'), 0),
          unit: 'a second',
        },
        {
          name: 'enrolment of a device, three keys',
          value: round(of('enrolled') / 1_000, 2),
          unit: 'CPU ms',
        },
        { name: 'its floor', value: round(of('floorOfEnrolment') / 1_000, 2), unit: 'CPU ms' },
        { name: 'renewal of a device, three keys', value: round(of('renewed') / 1_000, 2), unit: 'CPU ms' },
        { name: 'its floor', value: round(of('floorOfRenewal') / 1_000, 2), unit: 'CPU ms' },
      ],
      absent: [],
      notes: [
        `A device is one full handshake of TLS 1.3 (X25519MLKEM768) and ${KEYS} requests; ${LANES} devices at once, whose clients share the machine with the server: as the clock has it, both are in the figure.`,
        'Each certificate is flushed to the disk before it is handed out; the wait for that is in the time, not in the CPU.',
        'The floor has the same handshake, and for each request a verification, a signature and an answer of the same length.',
      ],
      details: { each, cpuMicroseconds, perSecond },
    };
  },
};
