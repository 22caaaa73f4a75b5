/** What a meter bounds about its operations, and why so. Seconds are epoch seconds where they are times. */

/** Balances arm above 0.50 € (rules of the operators). */
export const ARM_ABOVE_CENTS = 50;

/** How long the load may lie above a limiter before it trips: a kettle's start is no abuse. */
export const OVERLOAD_SECONDS = 10;
/** After a trip the breaker waits so long before its button works again: somebody has to switch something off. */
export const TRIP_REST_SECONDS = 30;

/** The button of a gas valve is held so long before the leak test begins (rules of the operators). */
export const LEAK_TEST_HOLD_MS = 3_000;

/** A plan may be set so far ahead: the next year's, and a little more. */
export const TARIFF_AHEAD_DAYS_MAX = 400;
/** A message that stays longer than a year is a label. */
export const MESSAGE_AHEAD_SECONDS_MAX = 366 * 86_400;

/** Clocks of signers and meters may differ by so much; a counter or a balance from further ahead is refused. */
export const AHEAD_SECONDS_MAX = 300;

/** People and systems of seven tenants that ever sign for one meter, with room. The oldest becomes the floor. */
export const SIGNERS_MAX = 256;
/** Results that wait for their receipts at once. Beyond it a command fails as `busy`, and may be tried again. */
export const UNSETTLED_MAX = 64;
/** Outcomes remembered after their receipt, so that a command that comes again is answered as the first time. */
export const SETTLED_KEPT_MAX = 64;
/** Ids that were refused and whose counter could not be used up. Beyond it such messages get no answer at all. */
export const UNPROVEN_MAX = 64;
/** Longer than any command is valid (60 days): then an id that was refused unproven cannot come to life again. */
export const UNPROVEN_KEPT_SECONDS = 62 * 86_400;
/** Results of passing failures that no disk took: in memory only. */
export const PASSING_MAX = 16;

/** Times of airplane mode that are remembered; more of them join with their neighbours, towards silence. */
export const SILENCES_MAX = 16;
/** No profile older than this is ever sent, so its time needs no mark any more. */
export const SILENCE_KEPT_SECONDS = 70 * 86_400;

/** Rules that follow one another after one event; a cycle among them would be a fault of ours. */
export const RULES_PER_TURN_MAX = 8;
/** How soon a rule whose hardware failed is tried again. */
export const RULE_RETRY_SECONDS = 60;

/** How soon a disk that took nothing is tried again without a command that needs it. */
export const WRITE_RETRY_SECONDS = 10;

/** Inputs that wait for their turn: beyond it a caller is told to come again. */
export const TURNS_WAITING_MAX = 256;

/** The whole of the ledger with every table full has 136 kB. */
export const FRAME_BYTES_MAX = 262_144;
/** How much a journal grows beyond its first frame before it is written anew. */
export const JOURNAL_GROWTH_BYTES = 131_072;
