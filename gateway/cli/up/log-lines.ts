import { LOG_LEVELS, type LogLevel } from '../../runtime/log.ts';
import type { Screen } from './screen.ts';

/**
 * What the processes log, above the table on a terminal and as it is in a pipe. While everything is being stopped
 * only errors are shown: that a router misses its front is then no news.
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
    if (level === undefined || LOG_LEVELS.indexOf(level) <= LOG_LEVELS.indexOf(this.#level))
      this.#screen.print(line);
  }

  quiet(): void {
    if (LOG_LEVELS.indexOf(this.#level) > LOG_LEVELS.indexOf('error')) this.#level = 'error';
  }
}

function levelOf(line: string): LogLevel | undefined {
  const match = /^\{"level":"([a-z]+)"/.exec(line);
  return match === null ? undefined : (match[1] as LogLevel);
}
