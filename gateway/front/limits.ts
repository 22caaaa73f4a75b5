import { COMMAND_SEALED_BYTES_MAX, SEALED_BYTES_MAX } from '../../protocol/limits.ts';

/** A bound of the front: its value unless configured, the range that configuration may choose from, and why. */
export interface LimitRow {
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly why: string;
  /** What the front does when the bound is reached, and under which counter it shows. */
  readonly reached: string;
}

/** `t/` tenant `/` device `/up/result`, its length, the message id: what an MQTT PUBLISH has beside its payload. */
const PUBLISH_HEAD_BYTES = 128;

/**
 * Every bound of the front in one place. A stranger's bytes, a device's messages and a tenant's silence each
 * end at one of these rows, and never in memory that grows.
 */
export const FRONT_LIMITS = {
  packetBytesMax: {
    value: SEALED_BYTES_MAX + PUBLISH_HEAD_BYTES,
    min: 1_024,
    max: 262_144,
    why: 'the largest sealed message of the protocol in its MQTT PUBLISH; the broker library has no bound of its own',
    reached:
      'the connection is closed on reading the length, before the packet is buffered (refused.oversize)',
  },
  connectBytesMax: {
    value: 1_024,
    min: 64,
    max: 65_536,
    why: 'a CONNECT of ours has about 30 bytes; this leaves room to recognize a wrong one and say what is wrong',
    reached: 'the connection is closed on reading the length (refused.oversize)',
  },
  heldPerClientMax: {
    value: 8,
    min: 1,
    max: 1_024,
    why: 'a device with guests sends a few payloads at once; more in flight at once is not asked of it',
    reached:
      'the message is not answered and the connection ends with its other answers (unanswered.held-client)',
  },
  heldPerTenantMax: {
    value: 2_048,
    min: 1,
    max: 1_000_000,
    why: 'a second of the whole consortium at its peak: one frozen tenant cannot fill the memory of the others',
    reached: 'as heldPerClientMax, for this tenant only (unanswered.held-tenant)',
  },
  heldMax: {
    value: 8_192,
    min: 1,
    max: 1_000_000,
    why: 'times packetBytesMax it is 150 MiB, the most that waiting messages can take',
    reached: 'as heldPerClientMax (unanswered.held-all)',
  },
  heldResultsPerTenantMax: {
    value: 1_024,
    min: 1,
    max: 1_000_000,
    why: 'results and events wait for a desk, which may stand still while the routers work: readings keep the other half of heldPerTenantMax',
    reached: 'as heldPerClientMax, for results and events of this tenant only (unanswered.held-results)',
  },
  subscribesPerClientMax: {
    value: 16,
    min: 1,
    max: 1_024,
    why: 'a device subscribes once for its home and once for each of a few guests; each waits for a desk',
    reached: 'the connection is closed (refused.flood)',
  },
  awakePerTenantMax: {
    value: 2_048,
    min: 1,
    max: 1_000_000,
    why: 'devices that wait for their desk to hear of them; with the readings they stay far below what a bus takes',
    reached: 'the device may listen at once, and its desk finds it at its next look (unheard.bound)',
  },
  awakeTimeoutMs: {
    value: 10_000,
    min: 50,
    max: 300_000,
    why: 'a desk looks up what waits in milliseconds, and a storm of devices in seconds; a device should not stay awake for a desk that stands still',
    reached: 'the device may listen all the same (unheard.timeout)',
  },
  commandUnreadBytesMax: {
    value: 16_384,
    min: COMMAND_SEALED_BYTES_MAX,
    max: 1_048_576,
    why: 'two of the largest commands: one is in flight for each tenant, so whoever has more waiting does not read',
    reached: 'the command stays with its desk (undelivered.busy)',
  },
  connectionsPerTenantMax: {
    value: 16_384,
    min: 1,
    max: 1_000_000,
    why: 'about 70 KiB each; a storm of one tenant must leave room for the others',
    reached: 'closed after the handshake that tells whose it is (refused.connections-tenant)',
  },
  connectionsMax: {
    value: 32_768,
    min: 1,
    max: 1_000_000,
    why: 'about 70 KiB each, 2.2 GiB together; raise it with the memory and the file descriptors',
    reached: 'new TCP connections are closed at once, before any cryptography (refused.connections)',
  },
  handshakesMax: {
    value: 2_048,
    min: 1,
    max: 1_000_000,
    why: 'two seconds of handshakes of one core: strangers who open connections and stay silent take no more places',
    reached: 'new TCP connections are closed at once (refused.handshakes)',
  },
  handshakeTimeoutMs: {
    value: 10_000,
    min: 100,
    max: 120_000,
    why: 'a handshake over the slowest cellular link takes 3 to 5 s',
    reached: 'the connection is closed, however its bytes trickle in (refused.handshake-timeout)',
  },
  connectTimeoutMs: {
    value: 5_000,
    min: 100,
    max: 60_000,
    why: 'CONNECT follows the handshake in the same flight of packets',
    reached: 'the connection is closed (refused.connect-timeout)',
  },
  keepaliveSecondsMax: {
    value: 1_200,
    min: 1,
    max: 65_535,
    why: 'a device that lost its link is noticed within 1.5 times this; no keepalive at all would be never',
    reached:
      'a longer one, or none, is refused at CONNECT (refused.keepalive); a silent device is closed (closed.keepalive)',
  },
  answerTimeoutMs: {
    value: 20_000,
    min: 50,
    max: 300_000,
    why: 'longer than a router tries its MDM before it says `later`, shorter than a device listens',
    reached: 'no PUBACK; the connection ends with its other answers (unanswered.timeout)',
  },
  drainTimeoutMs: {
    value: 10_000,
    min: 100,
    max: 120_000,
    why: 'a device that does not read for so long is gone; the 60 s of the library hold memory for nothing',
    reached: 'the connection is closed (closed.slow)',
  },
  unreadBytesMax: {
    value: 131_072,
    min: 16_384,
    max: 16_777_216,
    why: 'answers of 300 bytes to everything that may be held; the library sends acknowledgements without asking whether the other side reads',
    reached: 'a device that still sends while so much waits to be read by it is closed (closed.slow)',
  },
  stopTimeoutMs: {
    value: 5_000,
    min: 0,
    max: 60_000,
    why: 'a clean stop waits so long for answers that are under way; the supervisor gives 10 s',
    reached: 'the rest is closed without PUBACK; the devices send again',
  },
  resumptionSeconds: {
    value: 172_800,
    min: 0,
    max: 604_800,
    why: 'a device wakes once a day and may miss one wake; RFC 8446 §4.6.1 ends tickets at seven days',
    reached: 'the next handshake is a full one',
  },
  ticketKeysSeconds: {
    value: 604_800,
    min: 3_600,
    max: 31_536_000,
    why: 'a key that was stolen from memory resumes sessions for at most so long',
    reached: 'new ticket keys are drawn; the next handshake of every device is a full one',
  },
  revocationPollMs: {
    value: 5_000,
    min: 50,
    max: 3_600_000,
    why: 'a revoked device is out within this time of the list being published; a reload (SIGHUP) does it at once',
    reached: 'the files are looked at, and read again when they changed',
  },
  crlGraceHours: {
    value: 0,
    min: 0,
    max: 720,
    why: 'where a CA may be late with its list: how long after its next update nobody is refused yet',
    reached: 'handshakes of devices of that CA are refused (crl-stale) until it publishes a list',
  },
  sweepMs: {
    value: 30_000,
    min: 50,
    max: 3_600_000,
    why: 'live sessions are held against the expiry of their certificates; one pass over all costs a few ms',
    reached: 'sessions whose certificate has expired are closed (closed.expired)',
  },
} as const satisfies Record<string, LimitRow>;

export type LimitName = keyof typeof FRONT_LIMITS;
export type FrontLimits = Readonly<Record<LimitName, number>>;

export const LIMIT_NAMES = Object.keys(FRONT_LIMITS) as readonly LimitName[];

export const DEFAULT_LIMITS: FrontLimits = Object.fromEntries(
  LIMIT_NAMES.map((name) => [name, FRONT_LIMITS[name].value]),
) as FrontLimits;
