import { Supervisor } from '../../gateway/runtime/supervisor.ts';

/** A supervisor with two children, to be killed by a test: prints its children's process ids and waits. */
const supervisor = new Supervisor();
const module = new URL('./child.ts', import.meta.url);
const children = await Promise.all(
  ['first', 'second'].map((name) => supervisor.start({ name, module, config: {} })),
);
process.stdout.write(`${JSON.stringify(children.map((child) => child.pid))}\n`);
setInterval(() => undefined, 1_000);
