/**
 * Who may sign: the roles that a signature certificate can name. Each of one person or of one system, so that
 * "two people" can be counted. A role signs nothing unless a row of the command table says so.
 */
export const ROLES = {
  operator: { kind: 'person', says: 'carries out tele-operations' },
  approver: { kind: 'person', says: 'gives the second signature to critical commands, and proposes none' },
  prepayment: { kind: 'person', says: 'asks for prepayment operations' },
  supervisor: { kind: 'person', says: 'reads chains, rates and pending operations; signs nothing' },
  lopex: { kind: 'system', says: 'the customer-service system' },
  marco: { kind: 'system', says: 'the link to the prepayment platform' },
} as const satisfies Readonly<Record<string, { readonly kind: 'person' | 'system'; readonly says: string }>>;
export type Role = keyof typeof ROLES;

export function isRole(text: unknown): text is Role {
  return typeof text === 'string' && Object.hasOwn(ROLES, text);
}
