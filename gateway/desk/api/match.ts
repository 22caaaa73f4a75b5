import { deskError } from '../errors.ts';
import type { Route } from './route.ts';

/** Which row a request is for. */

interface Pattern {
  readonly route: Route;
  readonly segments: readonly string[];
}

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

const isName = (segment: string): boolean => segment.startsWith('{');
export const nameOf = (segment: string): string => segment.slice(1, -1);

/** @returns whose values are texts as they stand in the path; undefined where they do not fit */
function valuesIn({ segments }: Pattern, given: readonly string[]): Record<string, string> | undefined {
  if (segments.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [at, segment] of segments.entries()) {
    const value = given[at]!;
    if (isName(segment)) params[nameOf(segment)] = value;
    else if (segment !== value) return undefined;
  }
  return params;
}

/** A path with a name for a word comes after one that says the word. */
const namesIn = ({ segments }: Pattern): number => segments.filter(isName).length;

export function createMatcher(routes: readonly Route[]): (method: string, path: string) => Match {
  const patterns = routes
    .map((route): Pattern => ({ route, segments: route.path.split('/') }))
    .sort((a, b) => namesIn(a) - namesIn(b));
  return (method, path) => {
    const given = path.split('/');
    let isThere = false;
    for (const pattern of patterns) {
      const params = valuesIn(pattern, given);
      if (params === undefined) continue;
      if (pattern.route.method === method) return { route: pattern.route, params };
      isThere = true;
    }
    throw isThere
      ? deskError('ERR_DESK_METHOD', 'not by this method')
      : deskError('ERR_DESK_PATH', 'nothing is under this path');
  };
}
