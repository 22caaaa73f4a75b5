import { HesError } from '../../protocol/errors.ts';
import type { BusRequest } from './port.ts';

/** What can go wrong between two processes of one tenant, and what to do about it. */
export const BUS_ERRORS = {
  ERR_BUS_NO_RESPONDERS: 'Nobody serves this subject for this tenant: its router (or desk) is not running.',
  ERR_BUS_TIMEOUT: 'No answer came before the deadline. The request may still have had its effect.',
  ERR_BUS_OVERLOADED:
    'A bound was reached: requests in flight, running handlers or bytes waiting to be written. Slow down and try again.',
  ERR_BUS_DISCONNECTED:
    'The other side went away before answering, or there is no connection at the moment. The request may still have had its effect.',
  ERR_BUS_HANDLER:
    'The responder took the request and failed. Its own log says why; the reason is not sent along.',
  ERR_BUS_CLOSED: 'This side of the bus was closed.',
  ERR_BUS_OVERSIZE: 'The body is larger than the bus carries.',
  ERR_BUS_SERVED: 'This side of the bus already serves that subject.',
  ERR_BUS_TENANT: 'This hub does not know that tenant.',
  ERR_BUS_DIRECTORY:
    'The folder or socket of the bus belongs to somebody else, is open to others, or is not what it should be. Whoever can write there could pose as the bus.',
  ERR_BUS_PATH:
    'The path of a Unix socket would be longer than the operating system allows. Choose a shorter folder.',
  ERR_BUS_TAKEN: 'Another process is already the hub of this bus. Stop it, or choose another folder.',
  ERR_BUS_REFUSED:
    'The hub refused the connection: another version, another tenant, or too many connections.',
  ERR_BUS_FRAME: 'The other side sent bytes that are no frame of this protocol. The connection is closed.',
} as const;

export type BusErrorCode = keyof typeof BUS_ERRORS;

export function busError(
  code: BusErrorCode,
  detail?: string,
  options: ConstructorParameters<typeof HesError>[2] = {},
): HesError<BusErrorCode> {
  return new HesError(code, detail ?? BUS_ERRORS[code], options);
}

/** The ways in which a request ends without an answer. The order is the code on the wire: append only. */
export const BUS_FAILURES = [
  'ERR_BUS_NO_RESPONDERS',
  'ERR_BUS_TIMEOUT',
  'ERR_BUS_OVERLOADED',
  'ERR_BUS_DISCONNECTED',
  'ERR_BUS_HANDLER',
  'ERR_BUS_CLOSED',
  'ERR_BUS_OVERSIZE',
] as const satisfies readonly BusErrorCode[];
export type BusFailure = (typeof BUS_FAILURES)[number];

export function requestError(
  code: BusFailure,
  { subject, device }: Pick<BusRequest, 'subject' | 'device'>,
): HesError<BusErrorCode> {
  return busError(code, undefined, { context: { subject, device } });
}
