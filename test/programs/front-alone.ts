import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { frontConfigSchema } from '../../gateway/front/config.ts';
import { startFront } from '../../gateway/front/front.ts';
import { FakeBus } from '../../gateway/front/testing/fake-bus.ts';
import { parseConfig } from '../../gateway/runtime/config.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { createLog } from '../../gateway/runtime/log.ts';

/**
 * A front whose routers answer everything, with its configuration as the first argument (JSON). It prints its port
 * as the first line, and for each line of its input what became of the file operation that the line names.
 */
const counters = new Counters();
const front = await startFront({
  config: parseConfig(frontConfigSchema, JSON.parse(process.argv[2]!)),
  bus: (tenant) => new FakeBus(tenant),
  log: createLog({ name: 'front-alone' }),
  counters,
});
console.log(JSON.stringify({ port: front.port }));

const ATTEMPTS: Readonly<Record<string, (path: string) => unknown>> = {
  write: (path) => writeFileSync(join(path, 'kept'), 'reading'),
  read: (path) => readFileSync(path).length,
};

const attempt = (line: string): string => {
  const [what = '', path = ''] = line.split(' ');
  try {
    ATTEMPTS[what]!(path);
    return 'done';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'failed';
  }
};

let input = '';
process.stdin.on('data', (chunk) => {
  input += String(chunk);
  const lines = input.split('\n');
  input = lines.pop()!;
  for (const line of lines) console.log(JSON.stringify({ [line.split(' ')[0]!]: attempt(line) }));
});
process.stdin.on('end', () => void front.stop().then(() => process.exit(0)));
