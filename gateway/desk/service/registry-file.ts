import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { isHesError } from '../../../protocol/errors.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import type { Log } from '../../runtime/log.ts';
import { inOrder } from '../api/bulk.ts';
import { LINES_IN_HAND_MAX } from '../api/limits.ts';
import { parse } from '../api/shapes.ts';
import type { Desk } from '../desk.ts';
import { deskError } from '../errors.ts';
import { meterLine, registrationOf } from '../registry/line.ts';
import { type DeskStore, PAGE_MAX } from '../store/port.ts';

export type { MeterLine } from '../registry/line.ts';

/** Meters as the operator's own systems write them down: a line of JSON each. */

export interface Imported {
  readonly entered: number;
  readonly refused: number;
  readonly withdrawn: number;
}

/** Wrong lines that are named one by one; a file of another kind has millions. */
const NAMED_MAX = 20;
const LINE_LENGTH_MAX = 16_384;

/**
 * Enter every meter of a file; what was entered before just so is left alone. A wrong line is named in the log, by
 * its number and what is wrong there, and the others are entered.
 *
 * Where the file is said to have `all` meters, those that it does not name are withdrawn, unless it has a wrong line
 * or none at all: half a file must not take half a park away.
 * @throws ERR_DESK_REGISTRY where the file cannot be read; ERR_DESK_STORE
 */
export async function importRegistry(
  { file, has }: { readonly file: string; readonly has: 'all' | 'some' },
  { desk, store, log }: ImportParts,
): Promise<Imported> {
  const entered = new Set<DeviceId>();
  let refused = 0;
  const results = inOrder(numbered(file), LINES_IN_HAND_MAX, async ({ number, text }) => {
    try {
      if (text.length > LINE_LENGTH_MAX) throw deskError('ERR_DESK_REGISTRY', 'too long');
      const registration = registrationOf(parse(meterLine, jsonOf(text), `line ${number}`));
      await desk.register(registration, 'desk');
      return registration.device;
    } catch (error) {
      return { number, error };
    }
  });
  for await (const result of results) {
    if (typeof result === 'string') entered.add(result);
    else if (!isHesError(result.error) || result.error.code.startsWith('ERR_DESK_STORE')) throw result.error;
    else if (++refused <= NAMED_MAX)
      log.error({ line: result.number, err: result.error }, 'a line of the registry is no meter');
  }
  if (refused > 0)
    log.error(
      { code: 'ERR_DESK_REGISTRY', refused, entered: entered.size },
      'the registry has wrong lines: those are left out, and nothing is withdrawn',
    );
  const isWhole = has === 'all' && refused === 0 && entered.size > 0;
  const withdrawn = isWhole ? await withdrawOthers(entered, { desk, store }) : 0;
  return { entered: entered.size, refused, withdrawn };
}

export interface ImportParts {
  readonly desk: Pick<Desk, 'register' | 'withdraw'>;
  readonly store: Pick<DeskStore, 'meters'>;
  readonly log: Log;
}

async function withdrawOthers(
  named: ReadonlySet<DeviceId>,
  { desk, store }: Pick<ImportParts, 'desk' | 'store'>,
): Promise<number> {
  let withdrawn = 0;
  for (let after: DeviceId | null | undefined; after !== null; ) {
    const page = await store.meters({ limit: PAGE_MAX, ...(after === undefined ? {} : { after }) });
    const others = page.items.filter(({ device }) => !named.has(device));
    await Promise.all(others.map(({ device }) => desk.withdraw(device)));
    withdrawn += others.length;
    after = page.next;
  }
  return withdrawn;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw deskError('ERR_DESK_REGISTRY', 'no JSON');
  }
}

async function* numbered(file: string): AsyncGenerator<{ readonly number: number; readonly text: string }> {
  const stream = createReadStream(file, 'utf8');
  const failed = new Promise<never>((_, reject) => stream.once('error', reject));
  failed.catch(() => undefined);
  let number = 0;
  try {
    await Promise.race([new Promise((resolve) => stream.once('open', resolve)), failed]);
    for await (const text of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      number++;
      if (text.trim() !== '') yield { number, text };
    }
  } catch (cause) {
    throw deskError('ERR_DESK_REGISTRY', `${file} cannot be read`, { cause });
  } finally {
    stream.destroy();
  }
}
