import { describe, expect, it } from 'vitest';
import { HesError } from '../../protocol/errors.ts';
import { createLog, type Log } from './log.ts';

function logged(write: (log: Log) => void): { text: string; entries: Record<string, unknown>[] } {
  let text = '';
  const log = createLog({ name: 'test', level: 'debug', destination: { write: (line) => (text += line) } });
  write(log);
  const entries = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { text, entries };
}

const EAN = '541448820000000012';

describe('log', () => {
  it('hides fields that could identify a household, at the top and one level down', () => {
    const { text } = logged((log) => {
      log.info({ ean: EAN, meter: { serial: EAN, registers: [EAN] }, body: EAN, key: EAN }, 'taken');
      log.child({ payload: EAN }).info('child');
    });
    expect(text).not.toContain(EAN);
    expect(text).toContain('[redacted]');
  });

  it('hides what other people’s errors quote', () => {
    const { text } = logged((log) => {
      for (const provoke of [
        () => JSON.parse(`{"ean": ${EAN}x}`) as unknown,
        () => Buffer.alloc(1).write(EAN as unknown as string, 'x' as BufferEncoding),
        () => new URL(EAN),
        () => Buffer.from(Number(EAN) as unknown as string),
        () => {
          throw new Error(`no meter ${EAN}`, { cause: new Error(`serial ${EAN}`) });
        },
      ])
        try {
          provoke();
        } catch (error) {
          log.error({ err: error }, 'failed');
        }
    });
    expect(text).not.toContain(EAN);
    expect(text).not.toContain(String(Number(EAN)));
  });

  it('says code, context, place and cause of an error of ours', () => {
    const cause = new HesError('ERR_INNER', 'inner');
    const { entries } = logged((log) =>
      log.warn({ err: new HesError('ERR_OUTER', 'outer', { cause, context: { bytes: 3 } }) }, 'refused'),
    );
    expect(entries[0]).toMatchObject({
      level: 'warn',
      name: 'test',
      msg: 'refused',
      err: { code: 'ERR_OUTER', message: 'outer', context: { bytes: 3 }, cause: { code: 'ERR_INNER' } },
    });
    expect((entries[0]!['err'] as { stack: string[] }).stack[0]).toContain('log.test.ts');
  });

  it('survives what is thrown and is no error', () => {
    const { entries } = logged((log) => log.error({ err: EAN }, 'odd'));
    expect(entries[0]).toMatchObject({ err: { message: 'a string was thrown' } });
  });
});
