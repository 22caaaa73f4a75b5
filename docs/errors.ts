import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Writes docs/errors.md from the tables in the rooms' `errors.ts` (`npm run docs`); a test holds it current. */

const ROOMS: ReadonlyArray<readonly [folder: string, title: string]> = [
  ['protocol', 'Protocol: identities, payloads, envelopes, receipts'],
  ['pki', 'PKI: keys, certificates, revocation'],
  ['gateway/runtime', 'Every process: configuration, children'],
  ['gateway/bus', 'Bus: between front and router'],
  ['gateway/edge', 'Edge: the meter’s side'],
  ['gateway/front', 'Front: the door that meters reach'],
  ['gateway/router', 'Router: one operator’s uplink'],
  ['gateway/desk', 'Desk: one operator’s tele-operations'],
  ['meter-emulator', 'Meter emulator and fleet'],
  ['deploy/mdm-standin', 'The simulated MDM'],
  ['gateway/cli', 'Command line'],
];

type Table = Readonly<Record<string, string>>;

async function tablesOf(root: string, folder: string): Promise<Table> {
  const tables: Record<string, string> = {};
  for (const file of files(root, folder).filter((name) => /(^|\/)errors\.ts$/.test(name))) {
    const module = (await import(pathToFileURL(join(root, file)).href)) as Record<string, unknown>;
    for (const [name, value] of Object.entries(module))
      if (name.endsWith('_ERRORS')) Object.assign(tables, value as Table);
  }
  return tables;
}

export async function renderErrorsPage(root: string): Promise<string> {
  const sections: string[] = [];
  for (const [folder, title] of ROOMS) {
    const rows = Object.entries(await tablesOf(root, folder));
    if (rows.length === 0) continue;
    sections.push(
      [`## ${title}`, '', '| code | what it means, and what to do |', '|---|---|']
        .concat(rows.map(([code, text]) => `| \`${code}\` | ${text.replaceAll('|', '\\|')} |`))
        .join('\n'),
    );
  }
  return `# Errors

Every error that the project raises on purpose has a code that does not change. This page is written from the
tables beside the code by \`npm run docs\`, and a test holds it complete.

${sections.join('\n\n')}
`;
}

/** Every `ERR_…` that a source outside the tests names (Node's own codes are `ERR_` too: they are listed here). */
export function errorCodesInSources(root: string): Set<string> {
  const codes = new Set<string>();
  for (const [folder] of ROOMS)
    for (const file of files(root, folder).filter((name) => !/\.test\.ts$/.test(name)))
      for (const match of readFileSync(join(root, file), 'utf8').matchAll(
        /'(ERR_[A-Z0-9_]*[A-Z0-9])'|^\s*(ERR_[A-Z0-9_]+):/gm,
      )) {
        const code = (match[1] ?? match[2])!;
        if (!NODE_CODE.test(code)) codes.add(code);
      }
  return codes;
}

const NODE_CODE =
  /^ERR_(SSL|TLS|OSSL|SOCKET|STREAM|INVALID|IPC|HTTP|CRYPTO|SQLITE|ACCESS|SERVER|UNHANDLED|OUT)_/;

function files(root: string, folder: string): string[] {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, '..');
  writeFileSync(join(root, 'docs/errors.md'), await renderErrorsPage(root));
}
