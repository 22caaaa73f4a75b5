/** What can go wrong in the machinery of a process itself, and what to do about it. */
export const RUNTIME_ERRORS = {
  ERR_CONFIG:
    'The configuration breaks its schema: an unknown key, a wrong value or a rule between keys. The message names each path; mend those.',
  ERR_CONFIG_FILE:
    'The configuration cannot be read: the file is missing, unreadable, a folder, or larger than its bound. Check path and rights.',
  ERR_CONFIG_SYNTAX:
    'The configuration is neither valid YAML nor valid JSON. The message names line and column.',
  ERR_CONFIG_SCHEMA:
    'A schema of ours would let unknown keys pass. This is a mistake in the program: make that object strict.',
  ERR_SERVICE_STOP:
    'A process did not stop within its grace and was ended. Its log says what it was still waiting for.',
  ERR_UNEXPECTED: 'Something failed that the program did not foresee. Its log holds where; please report it.',
  ERR_SUPERVISOR_START:
    'A child process ended, or stayed silent, before it was ready for the first time. The message carries its own reason.',
  ERR_SUPERVISOR_STATE:
    'The supervisor was asked to start a child while it was stopping, or under a name already taken.',
} as const;

export type RuntimeErrorCode = keyof typeof RUNTIME_ERRORS;
