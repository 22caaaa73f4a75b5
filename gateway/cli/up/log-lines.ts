import { LOG_LEVELS, type LogLevel } from '../../runtime/log.ts';
import type { Screen } from './screen.ts';

/**
 * What the processes log, above the table on a terminal and as it is in a pipe. While everything is being stopped
 * only errors are shown: that a router misses its front is then no news. The last line of a process that failed is
 * left out unless details are asked for: its reason is told with what becomes of it.
 */
export class LogLines {
  readonly #screen: Screen;
  #level: LogLevel;

  constructor(screen: Screen, level: LogLevel) {
    this.#screen = screen;
    this.#level = level;
  }

  /** Also the stream that a log of this process writes to. */
  write(text: string): void {
    const line = text.trimEnd();
    const level = levelOf(line);
    if (level === 'fatal' && !this.#detailed) return;
    if (level === undefined || LOG_LEVELS.indexOf(level) <= LOG_LEVELS.indexOf(this.#level))
      this.#screen.print(line);
  }

  get #detailed(): boolean {
    return LOG_LEVELS.indexOf(this.#level) >= LOG_LEVELS.indexOf('info');
  }

  quiet(): void {
    if (LOG_LEVELS.indexOf(this.#level) > LOG_LEVELS.indexOf('error')) this.#level = 'error';
  }
}

function levelOf(line: string): LogLevel | undefined {
  const match = /^\{"level":"([a-z]+)"/.exec(line);
  return match === null ? undefined : (match[1] as LogLevel);
}
