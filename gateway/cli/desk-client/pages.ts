import type { z } from 'zod';
import type { DeskClient } from './client.ts';
import { pageOf } from './views.ts';

/** Of one question; a desk gives no more at once. */
const PAGE = 500;

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export function withQuery(path: string, query: Query): string {
  const said = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(said.map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? path : `${path}?${text}`;
}

/**
 * The items of a list, page by page as they are asked for: a list of a million is never in memory as a whole.
 * @param from the name of the cursor: `after` for meters and audit rows, `before` for commands
 */
export async function* pages<S extends z.ZodType>(
  client: DeskClient,
  list: {
    readonly path: string;
    readonly query?: Query;
    readonly cursor: 'after' | 'before';
    readonly item: S;
  },
  most = Number.POSITIVE_INFINITY,
): AsyncGenerator<z.output<S>> {
  const { path, query = {}, cursor, item } = list;
  const schema = pageOf(item);
  let at: string | number | undefined;
  let left = most;
  while (left > 0) {
    const limit = Math.min(PAGE, left);
    const asked = at === undefined ? { ...query, limit } : { ...query, limit, [cursor]: at };
    const { items, next } = await client.get(withQuery(path, asked), schema);
    for (const one of items.slice(0, left)) yield one;
    left -= items.length;
    if (next === null) return;
    at = next;
  }
}
