import { P1_DIALECTS } from '../../../meter-emulator/meter/dialect-ports.ts';
import { DIALECTS } from '../../../meter-emulator/p1/dialects.ts';

/** `hes emulate dialects`. */
export function listDialects(): void {
  const width = Math.max(...P1_DIALECTS.map(({ length }) => length));
  for (const name of P1_DIALECTS) {
    const { periodSeconds, line, encrypted, after } = DIALECTS[name];
    const every = periodSeconds === 1 ? 'every second' : `every ${periodSeconds} s`;
    process.stdout.write(
      `${name.padEnd(width)}  ${line.padEnd(10)}  ${every.padEnd(12)}  ${after}${encrypted ? '; encrypted: --key' : ''}\n`,
    );
  }
}
