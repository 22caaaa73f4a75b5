/** A bar on standard error, where somebody looks at it; into a file or a pipe nothing is drawn. */

const WIDTH = 28;
/** Eyes see no more, and a terminal that is far away should not be what is waited for. */
const EVERY_MS = 100;

export interface Progress {
  at(count: number): void;
  end(): void;
}

export function progressBar(
  what: string,
  total: number,
  stream: NodeJS.WriteStream = process.stderr,
): Progress {
  if (stream.isTTY !== true) return { at: () => {}, end: () => {} };
  const startedMs = performance.now();
  let drawnMs = 0;
  const draw = (count: number): void => {
    stream.write(`\r\u001b[2K${barText(what, count, total, performance.now() - startedMs)}`);
  };
  let last = 0;
  return {
    at(count) {
      last = count;
      const nowMs = performance.now();
      if (nowMs - drawnMs < EVERY_MS && count < total) return;
      drawnMs = nowMs;
      draw(count);
    },
    end() {
      draw(last);
      stream.write('\n');
    },
  };
}

export function barText(what: string, count: number, total: number, elapsedMs: number): string {
  const share = total === 0 ? 1 : count / total;
  const full = Math.round(share * WIDTH);
  const rate = elapsedMs <= 0 ? 0 : Math.round((count * 1_000) / elapsedMs);
  const left = rate === 0 || count >= total ? '' : `  ${Math.ceil((total - count) / rate)} s left`;
  const numbers = `${count.toLocaleString('en-US')} of ${total.toLocaleString('en-US')}`;
  return `${what.padEnd(10)} [${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${numbers}  ${rate.toLocaleString('en-US')}/s${left}`;
}
