const DAY_MS = 86_400_000;
/** Production lists are short-lived: whoever cannot get a newer one must not believe the old one for long. */
export const CRL_VALIDITY_MS = 7 * DAY_MS;
