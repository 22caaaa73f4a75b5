import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verifyAudit } from '../audit/verify.ts';
import { createDesk } from '../desk.ts';
import type { DeskStore } from '../store/port.ts';
import { ORES } from '../testing/world.ts';
import { campaignsOf, campaignWorld } from './testing/world.ts';

/**
 * A process that ends between any two of its transactions, and one that comes after it. What a transaction is worth
 * when the power goes is the question of test/system/desk-campaign-kill.test.ts.
 */

class Crash extends Error {}

/** A store that ends after so many transactions, for whoever uses it through this. */
function ending(store: DeskStore, after: number): DeskStore & { readonly used: number } {
  let used = 0;
  return {
    ...store,
    get used() {
      return used;
    },
    transaction(work) {
      if (used >= after) return Promise.reject(new Crash());
      used += 1;
      return store.transaction(work);
    },
  };
}

const METERS = 6;
const WAVES = { waves: [1, 2], errorLimitPermille: 1_000 } as const;

describe('a desk that ends between two steps of a campaign', () => {
  it('goes on after its restart, whichever the steps were: each command once, in its order of waves', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hes-campaign-crash-'));
    let steps = 0;
    for (let after = 0; ; after += 1) {
      const w = await campaignWorld(METERS, {}, join(directory, String(after)));
      const made = w.make({ count: METERS, change: WAVES });
      const { id } = await w.upload(made);
      await w.approve(id, made.manifest);

      const store = ending(w.store, after);
      const mortal = campaignsOf({ ...w.world, store, desk: createDesk({ ...w.world.options, store }) });
      let crashed = false;
      try {
        for (let round = 0; round < 3; round += 1) {
          await mortal.settle();
          await mortal.wake(w.devices);
        }
        await mortal.settle();
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        crashed = true;
      }
      steps = store.used;

      const next = campaignsOf({ ...w.world, desk: createDesk(w.world.options) });
      for (let round = 0; round < 4; round += 1) {
        await next.settle();
        await next.wake(w.devices);
      }
      // What was sent in the moment of the crash ends as unknown, and the campaign with it.
      w.world.clock.advance(3_600_000);
      await w.world.desk.expire();
      for (let round = 0; round < 4; round += 1) {
        await next.settle();
        await next.wake(w.devices);
      }
      await next.settle();
      const shown = await next.show(id);
      expect(shown, `after ${after} steps`).toMatchObject({ state: 'done', ready: 0, open: 0, skipped: 0 });
      expect(shown.done + shown.failed).toBe(METERS);
      expect(shown.failed).toBeLessThanOrEqual(1);
      const { items } = await w.store.commands({ limit: 50 });
      expect(items.map(({ device }) => device).sort()).toEqual([...w.devices].sort());
      expect(items.every(({ attempts }) => attempts === 1)).toBe(true);
      expect(verifyAudit(await w.store.auditRows({ limit: 500 }), { tenant: ORES }).faults).toEqual([]);
      await w.world.close();
      if (!crashed) break;
    }
    expect(steps).toBeGreaterThan(20);
    rmSync(directory, { recursive: true });
  });
});
