/**
 * The TLS that this system speaks, for both ends and every service (docs/adr/0174). RFC 8446 and, for meters with an
 * older stack, TLS 1.2 with forward secrecy and an AEAD. Certificates are P-256 throughout.
 */
export const TLS_PARAMETERS = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  /** AES-128 first, because it is what the devices' hardware has. */
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_CHACHA20_POLY1305_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
  ].join(':'),
  /**
   * The hybrid group first: what is recorded today may be read in twenty years, and a meter lives fifteen. Who does not
   * speak it falls to X25519, and who has only hardware for P-256 to that.
   */
  ecdhCurve: 'X25519MLKEM768:X25519:P-256',
} as const;
