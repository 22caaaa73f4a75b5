import { appendFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { z } from 'zod';
import { mdmStandInConfig } from '../../deploy/mdm-standin/config.ts';
import { loadConfig } from '../../gateway/runtime/config.ts';
import { runService } from '../../gateway/runtime/service.ts';

/**
 * An MDM that does not keep its word, in one of three ways, so that a test can see whether its judge notices. Takes
 * the configuration of the stand-in, and the way as its last argument.
 */
const WAYS = {
  /** Says of every fifth record that it was accepted, and drops it. */
  lossy: (records: readonly string[], seen: number) => records.filter((_, at) => (seen + at) % 5 !== 4),
  /** Knows no key again: what is sent twice is kept twice. It hangs up on its first request, so that there is such. */
  forgetful: (records: readonly string[]) => records,
  /** Changes the first value of every fifth record. */
  garbling: (records: readonly string[], seen: number) =>
    records.map((record, at) =>
      (seen + at) % 5 === 4 ? record.replace(/"value":"\d/, (head) => `${head.slice(0, -1)}9`) : record,
    ),
} as const;

const way = z.enum(Object.keys(WAYS) as [keyof typeof WAYS]).parse(process.argv.at(-1));
const records = z.array(z.looseObject({ Header: z.looseObject({ MessageID: z.string() }) }));

runService('mdm', async () => {
  const { host, tenants, mdmOut } = await loadConfig(mdmStandInConfig, { file: '-' });
  const { tenant, port } = tenants[0]!;
  let seen = 0;
  let requests = 0;
  const server = createServer(async (request, response) => {
    const batch = records.parse(JSON.parse(await textOf(request)));
    const lines = batch.map((record) => JSON.stringify({ tenant, record }));
    const kept = WAYS[way](lines, seen);
    seen += batch.length;
    if (kept.length > 0) appendFileSync(mdmOut!, `${kept.join('\n')}\n`);
    requests += 1;
    if (way === 'forgetful' && requests === 1) return request.socket.destroy();
    const results = batch.map(({ Header }) => ({ id: Header.MessageID, verdict: 'accepted' }));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ results }));
  });
  await new Promise<void>((listening) => server.listen(port, host, listening));
  return {
    stop: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
});

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
