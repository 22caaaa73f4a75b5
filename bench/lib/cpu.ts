import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU time that a process has used, all of its threads together, in nanoseconds (Linux: schedstat, which counts
 * exactly where /proc/PID/stat counts in ticks of 10 ms). Threads that ended are missing, so measure processes
 * that keep theirs.
 */
export function cpuNanoseconds(pid: number): number {
  let total = 0;
  for (const task of readdirSync(`/proc/${pid}/task`))
    total += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ', 1)[0]);
  return total;
}

/** The same of one thread; a process's main thread has the number of the process. */
export function threadNanoseconds(pid: number, thread: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0]);
}

/** Resident memory in KiB. */
export function residentKib(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (match === null) throw new Error(`process ${pid} is gone`);
  return Number(match[1]);
}
