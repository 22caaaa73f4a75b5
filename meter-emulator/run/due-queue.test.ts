import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DueQueue } from './due-queue.ts';

describe('DueQueue', () => {
  it('passes on what the work threw', async () => {
    const queue = new DueQueue<number>({
      concurrency: 1,
      work: async () => {
        throw new Error('broken');
      },
    });
    queue.add(1);
    await expect(queue.idle()).rejects.toThrow('broken');
  });

  it('runs what is due first, first', async () => {
    const order: number[] = [];
    const queue = new DueQueue<number>({
      concurrency: 1,
      work: async (item) => {
        order.push(item);
        return null;
      },
    });
    for (const item of [40, 10, 30, 20, 50]) queue.add(item, item);
    await queue.idle();
    expect(order).toEqual([10, 20, 30, 40, 50]);
  });

  it('never runs more at once than it may', async () => {
    let running = 0;
    let most = 0;
    const queue = new DueQueue<number>({
      concurrency: 3,
      work: async () => {
        most = Math.max(most, ++running);
        await delay(1);
        running--;
        return null;
      },
    });
    for (let item = 0; item < 40; item++) queue.add(item);
    await queue.idle();
    expect(most).toBe(3);
  });

  it('takes an item again as long as its work asks for it, and no item twice at once', async () => {
    const runs = new Map<string, number>();
    const queue = new DueQueue<string>({
      concurrency: 2,
      work: async (item) => {
        const run = (runs.get(item) ?? 0) + 1;
        runs.set(item, run);
        return run < 3 ? 1 : null;
      },
    });
    queue.add('a');
    queue.add('a');
    queue.add('b', 2);
    await queue.idle();
    expect([...runs]).toEqual([
      ['a', 3],
      ['b', 3],
    ]);
  });

  it('stops: lets the work under way end, and runs nothing after it', async () => {
    const ended: number[] = [];
    const queue = new DueQueue<number>({
      concurrency: 1,
      work: async (item) => {
        await delay(5);
        ended.push(item);
        return 1;
      },
    });
    for (let item = 0; item < 5; item++) queue.add(item);
    await delay(1);
    await queue.stop();
    await queue.idle();
    expect(ended).toEqual([0]);
    expect(queue.size).toBe(0);
  });

  it('works sooner on what somebody is in a hurry for, once, and never puts it off', async () => {
    const order: string[] = [];
    const queue = new DueQueue<string>({
      concurrency: 1,
      work: async (item) => {
        order.push(item);
        return null;
      },
    });
    queue.add('late', 3_600_000);
    queue.add('next', 10);
    queue.hurry('next', 3_600_000);
    queue.hurry('new', 5);
    queue.hurry('late', 20);
    queue.hurry('late', 15);
    await queue.idle();
    expect(order).toEqual(['new', 'next', 'late']);
    expect(queue.size).toBe(0);
  });

  it('leaves what is worked on at its work', async () => {
    const begun = Promise.withResolvers<void>();
    const done = Promise.withResolvers<void>();
    let runs = 0;
    const queue = new DueQueue<string>({
      concurrency: 2,
      work: async () => {
        runs++;
        begun.resolve();
        await done.promise;
        return null;
      },
    });
    queue.add('one');
    await begun.promise;
    queue.hurry('one');
    done.resolve();
    await queue.idle();
    expect(runs).toBe(1);
  });
});
