import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TenantId } from '../../protocol/identity.ts';
import { needlesOf } from '../support/canaries.ts';
import { withCoreImage } from '../support/core-image.ts';
import { TENANTS } from '../support/field.ts';
import { type Hit, Search, type TreeHits } from '../support/search.ts';
import { hasCommand } from '../support/tools.ts';
import { CanaryRun, type Leak } from './retain-run.ts';

/**
 * The other half of `retain`: the same canaries, processes and search, but the front and each router are exchanged for
 * ones that keep readings, each router in another way. What the search must not find there, it must find here.
 */
const SEED = Number(process.env['HES_TEST_SEED'] ?? 2);
const gdb = hasCommand('gdb');

interface Row {
  readonly way: string;
  /** Where it ends up. */
  readonly file: (tenant: TenantId) => string;
  readonly forms: RegExp;
  /** What of a meter is found there. */
  readonly finds: readonly string[];
}

/** A payload has the load curve in a row; a record shows it in pieces. */
const OF_PAYLOAD = ['curve', 'ean', 'index', 'serial'];
const OF_RECORD = ['ean', 'index', 'serial'];
const logOf = (tenant: TenantId): string => `logs/router-${tenant}.log`;

/** A row of retain-leaky-router for each tenant, in their order. */
const ROWS: readonly Row[] = [
  { way: 'a log line', file: logOf, forms: /ascii$/, finds: OF_RECORD },
  { way: 'a print', file: logOf, forms: /ascii$/, finds: OF_RECORD },
  { way: 'a file', file: () => 'tmp/spool.bin', forms: /(ascii|cbor)$/, finds: OF_PAYLOAD },
  { way: 'a file in hex', file: () => 'home/dump.txt', forms: /in hex$/, finds: OF_PAYLOAD },
  {
    way: 'a file in upper-case hex',
    file: () => 'dump-2.txt',
    forms: /in upper-case hex$/,
    finds: OF_PAYLOAD,
  },
  { way: 'a file in base64', file: () => 'tmp/queue.b64', forms: /in base64 \+\d$/, finds: OF_PAYLOAD },
  { way: 'a file in UTF-16', file: () => 'tmp/wide.txt', forms: /utf-16$/, finds: OF_RECORD },
];
const CASES = TENANTS.map((tenant, at) => [ROWS[at]!.way, tenant, ROWS[at]!] as const);

/** Some seconds on an idle machine. */
const SETUP_WITHIN_MS = 170_000;

let run: CanaryRun;
let elsewhere: TreeHits;
let inFront: readonly Hit[] = [];

beforeAll(async () => {
  const routers = CASES.map(([way, tenant]): [string, Leak] => [
    `router-${tenant}`,
    { program: './retain-leaky-router.child.ts', way },
  ]);
  run = await CanaryRun.start({
    tenants: TENANTS,
    seed: SEED,
    guestOf: TENANTS.at(-1)!,
    leaks: {
      ...Object.fromEntries(routers),
      front: { program: './retain-leaky-front.child.ts', way: 'memory' },
    },
  });
  const search = new Search(needlesOf(run.canaries));
  expect(await run.tell('send')).toMatchObject({ delivered: TENANTS.length + 1 });
  if (gdb) inFront = withCoreImage(run.pids['front']!, (image) => search.inFile(image));
  await run.end();
  ({ hits: elsewhere } = search.inTree(run.tree, (path) => /^data\/h1\/mdm(\/|$)/.test(path)));
}, SETUP_WITHIN_MS);
afterAll(() => run.remove());

describe(`a run that is made to leak (seed ${SEED})`, () => {
  it.skipIf(!gdb)('shows every canary in the memory of a front that was given the keys (needs gdb)', () => {
    const kept = inFront.filter(({ form }) => form === 'ascii' || form === 'cbor');
    expect([...new Set(kept.map(({ canary }) => canary))].toSorted()).toEqual(
      run.canaries.map(({ name }) => name).toSorted(),
    );
  });

  it.each(CASES)('shows what a router put into %s: %s', (_way, tenant, { file, forms, finds }) => {
    const hits = (elsewhere[file(tenant)] ?? []).filter(({ form }) => forms.test(form));
    const names = new Set(hits.map(({ canary }) => canary));
    for (const what of finds) expect(names).toContain(`${tenant}.${what}`);
    for (const name of names) expect(name.split(/[-.]/)[0]).toBe(tenant);
  });

  it('shows nothing where nothing was put', () => {
    expect(Object.keys(elsewhere).toSorted()).toEqual(
      CASES.map(([, tenant, { file }]) => file(tenant)).toSorted(),
    );
  });
});
