/** The bounds of campaigns, for whoever makes one, uploads it and runs it. */

/** The largest park of one operator's prepaid meters has 66,000; a change for a million is several campaigns. */
export const COMMANDS_MAX = 250_000;
/** Sizes that double from one meter on reach the largest campaign with 18. */
export const WAVES_MAX = 20;
/** A cascade: a mistake shows itself at ten meters, not at a hundred thousand. */
export const WAVES_DEFAULT: readonly number[] = [10, 100, 1_000];
/** Of a thousand. */
export const ERROR_LIMIT_DEFAULT_PERMILLE = 50;
/** A meter wakes once a day; whoever missed one wake has the next. */
export const WAVE_SECONDS_DEFAULT = 2 * 86_400;
/** As long as the longest command is valid (protocol/command/table.ts). */
export const WAVE_SECONDS_MAX = 60 * 86_400;
/** A wave of up to so many is judged as a whole; a larger one by what has ended, from so many on. */
export const SAMPLE_MIN = 1_000;
/** Commands in one upload: half a megabyte with their certificates. */
export const CHUNK_MAX = 500;
/** Campaigns that have not ended: a person follows a few. */
export const OPEN_CAMPAIGNS_MAX = 16;
/** Devices whose state is asked for at once. */
export const PREVIEW_MAX = 1_000;
/** A manifest without its signature: about 150 bytes and a reason. */
export const MANIFEST_BYTES_MAX = 1_024;
