import { type ErrorContext, HesError } from '../../protocol/errors.ts';

/** What a router cannot start with, and what to do about it. About a reading it speaks in receipts, not in errors. */
export const ROUTER_ERRORS = {
  ERR_ROUTER_TENANT:
    'The bus is of another tenant than the configuration. A router serves one tenant: check which configuration was given to which.',
  ERR_ROUTER_KEYS:
    'There is no sealing key where the configuration says, or there are more than a router takes. During a roll-over there are two.',
} as const;

export type RouterErrorCode = keyof typeof ROUTER_ERRORS;

export function routerError(
  code: RouterErrorCode,
  message: string,
  options: { readonly cause?: unknown; readonly context?: ErrorContext } = {},
): HesError<RouterErrorCode> {
  return new HesError(code, message, options);
}
