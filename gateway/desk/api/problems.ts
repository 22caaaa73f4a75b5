import { isHesError } from '../../../protocol/errors.ts';
import { deskError } from '../errors.ts';

/** What an error is on the wire: RFC 9457, with our code. The one place that knows HTTP statuses. */

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

const STATUS: Readonly<Record<string, number>> = {
  ERR_DESK_REQUEST: 400,
  ERR_DESK_CALLER: 403,
  ERR_DESK_ROLE: 403,
  ERR_DESK_OWNER: 403,
  ERR_DESK_SAME_PERSON: 403,
  ERR_DESK_PATH: 404,
  ERR_DESK_METER: 404,
  ERR_DESK_COMMAND: 404,
  ERR_DESK_METHOD: 405,
  ERR_DESK_SLOW: 408,
  ERR_DESK_STATE: 409,
  ERR_DESK_CONFLICT: 409,
  ERR_DESK_COUNTER: 409,
  ERR_DESK_EXPIRED: 409,
  ERR_DESK_AIRPLANE: 409,
  ERR_DESK_PREPAID: 409,
  ERR_DESK_IMPACT: 409,
  ERR_DESK_PROTECTED: 409,
  ERR_DESK_BUSY: 409,
  ERR_DESK_EAN: 409,
  ERR_DESK_BODY: 413,
  ERR_DESK_MEDIA: 415,
  ERR_DESK_AHEAD: 422,
  ERR_DESK_REGISTRY: 422,
  ERR_DESK_RATE: 429,
  ERR_DESK_INTERNAL: 500,
  ERR_DESK_STORE: 503,
  ERR_DESK_SUBSCRIBERS: 503,
  ERR_CAMPAIGN: 404,
  ERR_CAMPAIGN_ROLE: 403,
  ERR_CAMPAIGN_SAME_PERSON: 403,
  ERR_CAMPAIGN_MANIFEST: 422,
  ERR_CAMPAIGN_COMMAND: 422,
  ERR_COMMAND_ROLE: 403,
  ERR_COMMAND_SAME_PERSON: 403,
  ERR_COMMAND_SAME_KEY: 403,
  ERR_COMMAND_SIZE: 413,
};

/** Codes of what was signed, by whoever asks: what is not in the table is one of these, or a fault of ours. */
const FAMILIES: readonly (readonly [prefix: string, status: number])[] = [
  ['ERR_COMMAND_', 422],
  // A manifest is a COSE_Sign1, as what devices send.
  ['ERR_ENVELOPE_', 422],
  ['ERR_CAMPAIGN_', 409],
  ['ERR_IDENTITY_', 422],
  // The signer's certificate; the caller's own is answered at the door.
  ['ERR_TRUST_', 403],
  ['ERR_PKI_', 403],
];

const TITLES: Readonly<Record<number, string>> = {
  400: 'not a request that the desk takes',
  401: 'not known here',
  403: 'not allowed',
  404: 'not there',
  405: 'not by this method',
  408: 'too slow',
  409: 'not possible now',
  413: 'too large',
  415: 'of another media type',
  422: 'not a valid command',
  429: 'too often',
  500: 'a fault of the desk',
  503: 'not possible for a while',
};

export function statusOf(code: string): number {
  return STATUS[code] ?? FAMILIES.find(([prefix]) => code.startsWith(prefix))?.[1] ?? 500;
}

/** @param status in place of the table's, for what is said of the caller himself */
export function problemOf(error: unknown, status?: number): Problem {
  // What is not ours may quote anything: it goes to the log, and not to a caller.
  const known = isHesError(error)
    ? error
    : deskError('ERR_DESK_INTERNAL', 'the desk failed; its log says why');
  const found = status ?? statusOf(known.code);
  return {
    type: 'about:blank',
    title: TITLES[found] ?? 'not done',
    status: found,
    code: known.code,
    detail: known.message,
  };
}

/** What a line of a bulk request is answered where it was not done. */
export const faultOf = (error: unknown): { readonly code: string; readonly detail: string } => {
  const { code, detail } = problemOf(error);
  return { code, detail };
};

/** Every status that a route may answer with, for the description. */
export const PROBLEM_STATUSES: readonly number[] = [
  ...new Set([401, ...Object.values(STATUS), ...FAMILIES.map(([, status]) => status)]),
].sort((a, b) => a - b);
