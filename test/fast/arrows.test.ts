import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

/**
 * The import arrows of ARCHITECTURE.md, held by a test. A room may import itself and what its row names;
 * `pki/trust` stands for the verifying half of pki, the only part of it that a production process loads; `pki/device`
 * is what a device needs beside it to renew its own keys, and issues nothing either.
 */
const ROOMS: Record<string, readonly string[]> = {
  protocol: [],
  pki: ['protocol'],
  'gateway/runtime': ['protocol'],
  'gateway/bus': ['protocol', 'gateway/runtime'],
  'gateway/edge': ['protocol', 'pki/trust', 'pki/device', 'gateway/runtime'],
  'gateway/front': ['protocol', 'pki/trust', 'gateway/runtime', 'gateway/bus/port'],
  'gateway/router': ['protocol', 'pki/trust', 'gateway/runtime', 'gateway/bus/port'],
  'gateway/desk': ['protocol', 'pki/trust', 'gateway/runtime', 'gateway/bus/port'],
  'meter-emulator': ['protocol', 'pki', 'gateway/runtime', 'gateway/edge'],
  'deploy/mdm-standin': ['protocol', 'gateway/runtime'],
  'deploy/examples': ['protocol'],
  'gateway/cli': [
    'protocol',
    'pki',
    'gateway/runtime',
    'gateway/bus',
    'gateway/desk',
    'gateway/edge',
    'gateway/front',
    'gateway/router',
    'meter-emulator',
    'deploy/mdm-standin',
  ],
};

/** The files of pki that are its trust face: what verifies and names, and never signs. */
const TRUST_FACE = ['pki/trust', 'pki/identity', 'pki/errors', 'pki/revocation'];

/** Within pki: formats, then what is judged by them, files and keys; whatever issues stands above all of these. */
const LAYERS_OF_PKI: Record<string, readonly string[]> = {
  'pki/x509': ['protocol', 'pki/errors'],
  'pki/verify': ['protocol', 'pki/errors', 'pki/x509'],
  'pki/files': ['protocol', 'pki/errors', 'pki/x509'],
  'pki/keys': ['protocol', 'pki/errors', 'pki/x509', 'pki/verify', 'pki/files', 'pki/hsm'],
  'pki/hsm': ['protocol', 'pki/errors', 'pki/x509', 'pki/keys/encrypted-key'],
};

const root = resolve(import.meta.dirname, '../..');

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !/\.test-support\.ts$|\/testing\//.test(file));
}

/** Relative imports of a file, as paths from the root without their ending. */
function importsOf(file: string, text: string): string[] {
  const found = text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.{1,2}\/[^']+)'/g);
  return [...found].map((match) =>
    relative(root, resolve(root, dirname(file), match[1]!)).replace(/\.ts$/, ''),
  );
}

/** Every file of ours that is loaded with one; an import of a type alone loads nothing. */
function loadedBy(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const text = readFileSync(join(root, file), 'utf8').replaceAll(/^import type [^;]*;/gm, '');
  for (const target of importsOf(file, text)) loadedBy(`${target}.ts`, seen);
  return [...seen];
}

function allowed(room: string, target: string): boolean {
  if (target.startsWith(`${room}/`)) return true;
  return ROOMS[room]!.some((arrow) =>
    arrow === 'pki/trust'
      ? TRUST_FACE.some((face) => target === face || target.startsWith(`${face}/`))
      : target === arrow || target.startsWith(`${arrow}/`),
  );
}

describe('import arrows', () => {
  it('finds a forbidden import when there is one', () => {
    const target = importsOf('gateway/front/x.ts', "import { a } from '../router/uplink.ts';")[0]!;
    expect(target).toBe('gateway/router/uplink');
    expect(allowed('gateway/front', target)).toBe(false);
    expect(allowed('gateway/front', 'protocol/topics')).toBe(true);
    expect(allowed('gateway/front', 'pki/authority')).toBe(false);
    expect(allowed('gateway/front', 'pki/device')).toBe(false);
    expect(allowed('gateway/edge', 'pki/device')).toBe(true);
    expect(allowed('gateway/edge', 'pki/devices')).toBe(false);
  });

  it.each(Object.keys(ROOMS))('%s imports only what its row allows', (room) => {
    const crossings = sources(room).flatMap((file) =>
      importsOf(file, readFileSync(join(root, file), 'utf8'))
        .filter((target) => !allowed(room, target))
        .map((target) => `${file} → ${target}`),
    );
    expect(crossings).toEqual([]);
  });

  it('has a row for every room that holds code', () => {
    const folders = ['protocol', 'pki', 'meter-emulator', ...children('gateway'), ...children('deploy')];
    const withCode = folders.filter((folder) => sources(folder).length > 0);
    expect(withCode.filter((folder) => !(folder in ROOMS))).toEqual([]);
  });

  it('has a verifying half of pki that loads nothing of what issues', () => {
    const issuing = /^pki\/(ca|development|enrolment|est|rollover|x509\/certify|notice\/(notice|file))/;
    expect(loadedBy('pki/trust.ts').filter((file) => issuing.test(file))).toEqual([]);
    expect(loadedBy('pki/ca/open.ts').some((file) => issuing.test(file))).toBe(true);
  });

  it.each(Object.entries(LAYERS_OF_PKI))('%s stands on what is below it alone', (layer, below) => {
    const crossings = sources(layer).flatMap((file) =>
      importsOf(file, readFileSync(join(root, file), 'utf8'))
        .filter((target) => ![layer, ...below].some((at) => target === at || target.startsWith(`${at}/`)))
        .map((target) => `${file} → ${target}`),
    );
    expect(crossings).toEqual([]);
  });

  it('keeps protocol/ pure: no clock, no environment, no file, no network', () => {
    const impure = sources('protocol').filter((file) =>
      /from 'node:(fs|net|tls|http|os|child_process)|Date\.now\(|process\.env|new Date\(\)/.test(
        readFileSync(join(root, file), 'utf8'),
      ),
    );
    expect(impure).toEqual([]);
  });
});

function children(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${folder}/${entry.name}`);
}
