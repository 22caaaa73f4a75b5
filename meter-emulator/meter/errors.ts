/** What an emulated physical meter cannot do, and what to do about it. docs/errors.md is made from this table. */
export const EMULATED_METER_ERRORS = {
  ERR_EMULATED_METER_HOUSEHOLD:
    'No household of this seed has so many phases, or a heat meter; take another seed.',
  ERR_EMULATED_METER_SOCAT:
    'A pseudo-terminal is made with the help of socat, which is not there or could not: install it (Debian: apt install socat), or let the meter serve over tcp.',
  ERR_EMULATED_METER_PATH:
    'The pseudo-terminal cannot get its name: something is at the path already, or its folder is not there or not writable. Choose another path, or remove what is there.',
  ERR_EMULATED_METER_LISTEN:
    'The emulated P1 port cannot listen there: the TCP port is taken or not allowed. Choose another, or 0 for a free one.',
  ERR_EMULATED_METER_FAULT:
    'A fault was ordered in words that are not understood, or that this meter cannot have; the message says what would be right.',
  ERR_EMULATED_METER_KEYS:
    'The dialect is encrypted, and no key was given for it: give the encryption key, and in Austria the authentication key.',
} as const;
export type EmulatedMeterErrorCode = keyof typeof EMULATED_METER_ERRORS;
