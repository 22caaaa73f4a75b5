import { appendFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectLocalBus } from '../../gateway/bus/local/peer.ts';
import type { BusRequest, TenantBus } from '../../gateway/bus/port.ts';
import { PROCESS_CONFIGS } from '../../gateway/cli/process-configs.ts';
import { sealingFiles } from '../../gateway/router/keyring.ts';
import { createRecordWriter } from '../../gateway/router/record/write.ts';
import { startRouter } from '../../gateway/router/router.ts';
import { loadConfig } from '../../gateway/runtime/config.ts';
import type { Log, LogLevel } from '../../gateway/runtime/log.ts';
import { runService } from '../../gateway/runtime/service.ts';
import { decodeDailyIndex } from '../../protocol/payload.ts';
import { Thief } from './retain-thief.ts';

/**
 * A router as it must not be: it keeps what it opens, in a way of the table. It is here to show that the search finds
 * each of them.
 */
interface Reading {
  readonly payload: Uint8Array;
  readonly record: Buffer;
}
const WAYS: Readonly<Record<string, (reading: Reading, log: Log) => void>> = {
  'a log line': ({ record }, log) => log.info({ note: record.toString() }, 'a reading'),
  'a print': ({ record }) => void process.stdout.write(`${record.toString()}\n`),
  'a file': ({ payload }) => appendFileSync(join(tmpdir(), 'spool.bin'), payload),
  'a file in hex': ({ payload }) => appendFileSync(join(homedir(), 'dump.txt'), hex(payload)),
  'a file in upper-case hex': ({ payload }) => appendFileSync('dump-2.txt', hex(payload).toUpperCase()),
  'a file in base64': ({ payload }) =>
    appendFileSync(join(tmpdir(), 'queue.b64'), Buffer.from(payload).toString('base64')),
  'a file in UTF-16': ({ record }) =>
    appendFileSync(join(tmpdir(), 'wide.txt'), Buffer.from(record.toString(), 'utf16le')),
};

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const [, , way, level] = process.argv;

runService(
  'router',
  async ({ log, counters }) => {
    const { bus: where, ...config } = await loadConfig(PROCESS_CONFIGS.router, { file: '-' });
    const bus = connectLocalBus({ directory: where.directory, tenant: config.tenant, log, counters });
    const [files] = await sealingFiles(config);
    const thief = new Thief(config.tenant, files!);
    const write = createRecordWriter();
    const keep = (request: BusRequest): void => {
      const payload = thief.payloadOf(request);
      const record = write(decodeDailyIndex(payload), []);
      try {
        WAYS[way!]!({ payload, record }, log);
        log.info('kept a reading');
      } catch (error) {
        log.info({ err: error }, 'could not keep a reading');
      }
    };
    const keeping: TenantBus = {
      tenant: bus.tenant,
      request: (request, options) => bus.request(request, options),
      serve: (subject, handler) =>
        bus.serve(subject, (request) => {
          keep(request);
          return handler(request);
        }),
      close: () => bus.close(),
    };
    const router = await startRouter({ config, bus: keeping, log, counters });
    return {
      details: { tenant: config.tenant },
      stop: async () => {
        await router.stop();
        await bus.close();
      },
    };
  },
  { level: level as LogLevel },
);
