import { Writable } from 'node:stream';
import { Counters } from '../../../runtime/counters.ts';
import { createLog } from '../../../runtime/log.ts';
import { seededRandom } from '../../../runtime/random.ts';
import { sealed } from '../../p1/example.ts';
import type { Link } from '../link.ts';
import { P1Port, type P1PortOptions } from '../port.ts';
import type { SourceTiming } from '../timing.ts';

/** A source that is a hundred times as impatient as a real one. */
export const QUICK: SourceTiming = {
  telegramMs: 300,
  silenceMs: 300,
  detectMs: 120,
  reopenMs: 600,
  connectMs: 500,
  tickMs: 10,
  backoff: { baseMs: 10, maxMs: 50, minMs: 5 },
};

/** A whole telegram whose register tells which one it is. */
export function telegramText(number: number): string {
  return sealed(['/TST5\\1', '', '1-3:0.2.8(50)', `1-0:1.8.0(${String(number).padStart(6, '0')}.000*kWh)`]);
}

export interface RunningPort {
  readonly port: P1Port;
  /** The registers that arrived, in Wh. */
  readonly seen: number[];
  /** The state of each log line, in order. */
  readonly said: string[];
  readonly counters: Counters;
  stop(): Promise<void>;
}

export function startPort(link: Link, options: Partial<P1PortOptions> = {}): RunningPort {
  const seen: number[] = [];
  const said: string[] = [];
  const counters = new Counters();
  const destination = new Writable({
    write(line: Buffer, _, done) {
      const { port = 'WARNING' } = JSON.parse(line.toString()) as { port?: string };
      said.push(port);
      done();
    },
  });
  const log = createLog({ name: 'test', destination });
  const random = seededRandom(7);
  const port = new P1Port({ name: 'meter', link, log, counters, random, timing: QUICK, ...options });
  const abort = new AbortController();
  const sink = {
    telegram: ({ registers }: { registers: readonly { value: number; scaler: number }[] }) => {
      const register = registers[0]!;
      seen.push(register.value * 10 ** register.scaler);
    },
  };
  const run = port.run(sink, abort.signal);
  return {
    port,
    seen,
    said,
    counters,
    stop: async () => {
      abort.abort();
      await run;
    },
  };
}
