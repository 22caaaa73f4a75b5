import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A parser of others, given a telegram as a string. */
export interface Peer {
  readonly name: string;
  readonly parse: (text: string) => unknown;
  readonly countFields: (parsed: unknown) => number;
}

interface PeerRow {
  readonly package: string;
  readonly version: string;
  /** Makes the peer from its package; `require` finds it in the temporary folder. */
  readonly load: (require: NodeJS.Require) => Omit<Peer, 'name'>;
}

type Parse = (text: string) => unknown;
type Leaf = string | number | boolean;

/** Every value that was found in a tree, but units and time zones of values. */
function leaves(tree: unknown): number {
  if (tree === null || tree === undefined || tree === '') return 0;
  if (tree instanceof Date || typeof (tree as Leaf) !== 'object') return 1;
  return Object.entries(tree).reduce((sum, [key, value]) => sum + (key === 'unit' ? 0 : leaves(value)), 0);
}

const keys = (tree: unknown): number => Object.keys(tree as object).length;

/** The parsers of npm that read DSMR or e-MUCS text, in the versions that they were measured in. */
const ROWS: readonly PeerRow[] = [
  {
    // Named by the issue that asked for this bench; the registry answered 404 in every version.
    package: '@athombv/dsmr-parser',
    version: 'latest',
    load: (require) => {
      const module = require('@athombv/dsmr-parser') as {
        DSMR?: { parse(options: { telegram: string }): unknown };
        parseDsmr?(options: { telegram: string }): unknown;
      };
      const parse = module.parseDsmr ?? module.DSMR!.parse;
      return { parse: (telegram) => parse({ telegram }), countFields: leaves };
    },
  },
  {
    package: 'dsmr-parser',
    version: '2.1.1',
    load: (require) => ({
      parse: (require('dsmr-parser') as { parse: Parse }).parse.bind(require('dsmr-parser')),
      countFields: (parsed) => keys((parsed as { objects: object }).objects),
    }),
  },
  {
    package: 'p1-reader',
    version: '2.0.6',
    // Its parser alone; it checks no CRC.
    load: (require) => ({ parse: require('p1-reader/lib/parsePacket.js') as Parse, countFields: leaves }),
  },
  {
    package: 'smartmeter-obis',
    version: '4.0.0',
    // Its parser alone; it checks no CRC.
    load: (require) => {
      const Protocol = require('smartmeter-obis/lib/protocols/D0Protocol.js') as new (
        options: object,
        done: () => void,
      ) => { prepareResult(text: string): object };
      const protocol = new Protocol({ debug: 0 }, () => undefined);
      return {
        parse: (text) => protocol.prepareResult(text.slice(text.indexOf('\r\n') + 4)),
        countFields: keys,
      };
    },
  },
];

/** Install each peer into a folder of its own that is removed at exit, without running its install scripts. */
export async function installPeers(): Promise<{ peers: Peer[]; absent: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'hes-bench-p1-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const peers: Peer[] = [];
  const absent: string[] = [];
  for (const [index, row] of ROWS.entries()) {
    const name = `${row.package} ${row.version}`;
    const prefix = join(folder, String(index));
    const require = createRequire(join(prefix, 'index.js'));
    if (!install(prefix, `${row.package}@${row.version}`, folder)) absent.push(name);
    else peers.push({ name, ...row.load(require) });
  }
  return { peers, absent };
}

function install(prefix: string, spec: string, folder: string): boolean {
  writeFileSync(join(folder, '.npmrc'), 'audit=false\nfund=false\n');
  const { status } = spawnSync(
    'npm',
    ['install', '--ignore-scripts', '--no-save', '--no-package-lock', '--prefix', prefix, spec],
    { stdio: 'ignore', timeout: 60_000 },
  );
  return status === 0;
}
