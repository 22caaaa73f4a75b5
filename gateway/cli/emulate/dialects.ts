import { dialectPort, P1_DIALECTS } from '../../../meter-emulator/meter/dialect-ports.ts';

/** `hes emulate dialects`. */
export function listDialects(): void {
  const width = Math.max(...P1_DIALECTS.map(({ length }) => length));
  for (const name of P1_DIALECTS) {
    const { periodSeconds, line, encrypted } = dialectPort(name);
    const every = periodSeconds === 1 ? 'every second' : `every ${periodSeconds} s`;
    process.stdout.write(
      `${name.padEnd(width)}  ${line.padEnd(11)}  ${every}${encrypted ? ', encrypted (--key)' : ''}\n`,
    );
  }
}
