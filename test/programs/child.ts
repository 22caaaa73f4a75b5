import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { loadConfig } from '../../gateway/runtime/config.ts';
import { tellParent } from '../../gateway/runtime/parent.ts';
import { type RunningService, runService, type ServiceContext } from '../../gateway/runtime/service.ts';

/** A child for the supervisor's tests: does what its configuration says, which it reads from standard input. */
const schema = z.strictObject({
  /** What it does once it is up. */
  after: z.enum(['run', 'throw', 'reject', 'exit', 'refuseToStop', 'freeze']).default('run'),
  /** `fail`: throws at its start; `hang`: is never ready. */
  start: z.enum(['well', 'fail', 'hang', 'crash']).default('well'),
  afterMs: z.number().default(50),
  stopMs: z.number().default(0),
});

async function start({ log, counters }: ServiceContext): Promise<RunningService> {
  const config = await loadConfig(schema, { file: '-' });
  if (config.start === 'crash') {
    writeSync(2, 'TypeError: it crashed\n    at its.ts:1\n\nNode.js v26\n');
    process.kill(process.pid, 'SIGKILL');
  }
  if (config.start === 'fail') throw new Error('port 8883 is taken');
  if (config.start === 'hang') {
    log.info('hanging');
    await delay(1_000_000);
  }
  counters.count('child.started');
  counters.gauge('child.up', 1);
  await tellParent({
    type: 'notice',
    notice: { environment: Object.keys(process.env), flags: process.execArgv },
  });
  setTimeout(() => {
    if (config.after === 'throw') throw new Error('thrown');
    if (config.after === 'reject') void Promise.reject(new Error('rejected'));
    if (config.after === 'exit') process.exit(3);
    if (config.after === 'freeze') for (;;);
  }, config.afterMs);
  process.on('message', (message) => void tellParent({ type: 'notice', notice: { echo: message } }));
  return {
    details: { pid: process.pid },
    async stop() {
      if (config.after === 'refuseToStop') await delay(1_000_000);
      await delay(config.stopMs);
      counters.count('child.stopped');
      log.info('the last line');
    },
  };
}

/** The first argument: how long its own stop may take. */
runService('child', start, { stopWithinMs: Number(process.argv[2] ?? 10_000) });
