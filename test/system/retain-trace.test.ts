import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TenantId } from '../../protocol/identity.ts';
import { TENANTS } from '../support/field.ts';
import { hasCommand } from '../support/tools.ts';
import { underStrace, type Writes, writesOf } from '../support/trace.ts';
import { CanaryRun } from './retain-run.ts';

/**
 * Whether front and routers could have kept anything at all: every path that they open for writing, make, link or
 * rename, from their first moment to their last, by the kernel's own account. Two routers are exchanged for leaky
 * ones: one that the trace must catch, and one whose leak the permissions of the honest one must stop.
 */
const USED = TENANTS.slice(0, 3);
const [HONEST, LEAKY, FENCED] = USED as [TenantId, TenantId, TenantId];
const strace = hasCommand('strace');

/** Some seconds on an idle machine. */
const SETUP_WITHIN_MS = 170_000;

let run: CanaryRun;
const writes = new Map<string, Writes>();

describe.skipIf(!strace)('what front and routers write', () => {
  beforeAll(async () => {
    run = await CanaryRun.start(
      {
        tenants: USED,
        seed: 3,
        guestOf: LEAKY,
        leaks: {
          [`router-${LEAKY}`]: { program: './retain-leaky-router.child.ts', way: 'a file' },
          [`router-${FENCED}`]: {
            program: './retain-leaky-router.child.ts',
            way: 'a file in hex',
            fenced: true,
          },
        },
      },
      underStrace,
    );
    expect(await run.tell('send')).toMatchObject({ delivered: 4, failed: 0 });
    await run.end();
    for (const [name, pid] of Object.entries(run.pids)) writes.set(name, writesOf(run.beside, pid));
  }, SETUP_WITHIN_MS);
  afterAll(() => run?.remove());

  it('is nothing, by the front, besides the sockets of its bus (needs strace)', () => {
    const { files, sockets, opaque, threads, reads } = writes.get('front')!;
    expect(files).toEqual([]);
    expect(sockets.map((path) => path.slice(run.tree.length))).toEqual(
      USED.map((tenant) => `/data/h1/bus/${tenant}.sock`),
    );
    expect(opaque).toEqual([]);
    // Else nothing was traced.
    expect(threads).toBeGreaterThan(4);
    expect(reads).toBeGreaterThan(100);
  });

  it('is nothing at all by a router (needs strace)', () => {
    const { threads, reads, ...written } = writes.get(`router-${HONEST}`)!;
    expect(written).toEqual({ files: [], sockets: [], opaque: [] });
    expect(threads).toBeGreaterThan(4);
    expect(reads).toBeGreaterThan(100);
  });

  it('is seen where a router does write (needs strace)', () => {
    expect(writes.get(`router-${LEAKY}`)!.files).toEqual([`${run.tree}/tmp/spool.bin`]);
  });

  it("is seen of the edge's outboxes and of the MDMs (needs strace)", () => {
    expect(writes.get('edge')!.files.filter((path) => path.endsWith('/outbox'))).toHaveLength(3);
    expect(writes.get(`mdm-${HONEST}`)!.files).toContain(`${run.tree}/data/h1/mdm/${HONEST}.jsonl`);
  });

  it('is nothing by a router that wants to write and runs under the permissions of an honest one (needs strace)', () => {
    expect(writes.get(`router-${FENCED}`)!.files).toEqual([]);
    const log = readFileSync(join(run.tree, 'logs', `router-${FENCED}.log`), 'utf8');
    expect(log).toContain('could not keep a reading');
    expect(log).toContain('ERR_ACCESS_DENIED');
  });
});
