/** Every code that the edge throws on purpose: what it means, and what to do. docs/errors.md is made from it. */
export const EDGE_ERRORS = {
  ERR_EDGE_DAY: 'A day is not of the form YYYY-MM-DD or does not exist: give a calendar day.',
  ERR_EDGE_TIME: 'A snapshot carries a time that is no whole number of seconds: correct the source.',
  ERR_EDGE_OWNER:
    'A meter belongs to a tenant whose sealing certificate the device does not hold: enrol the device for that guest tenant, or correct the owner map.',
  ERR_EDGE_METERS:
    'More meters were seen behind one device than it may carry: correct the source or the channel map.',
  ERR_EDGE_CLOSED: 'The device was used after close(): open it again.',
  ERR_OUTBOX_DAMAGED:
    'The outbox file is damaged before its end. Nothing was dropped: move the file aside, keep it for the operator, and start again with an empty outbox.',
  ERR_OUTBOX_FORMAT:
    'The file in the place of the outbox is not one, or of a version that this program does not know: move it aside or use the program that wrote it.',
  ERR_OUTBOX_FULL:
    'The outbox has no room, and holds nothing more that may be given up for it. The day stays open and closes when readings were delivered: restore the connection, or raise the limits.',
  ERR_OUTBOX_LOCKED: 'Another running process holds the outbox: stop it first.',
  ERR_OUTBOX_WRITE:
    'The disk refused a write of the outbox (full, read-only or failing): nothing was counted as stored. Make room or replace the disk; the day stays open.',
  ERR_OUTBOX_READ: 'A sealed reading could not be read back from the outbox: check the disk.',
  ERR_UPLINK_CONNECT: 'The head-end could not be reached, or refused the connection: see the cause.',
  ERR_UPLINK_CLOSED: 'The head-end closed the connection before it had answered: tried again later.',
  ERR_UPLINK_PROTOCOL:
    'The head-end sent what MQTT 3.1.1 does not allow here, or more than the bound: the connection was ended and is tried again later.',
  ERR_UPLINK_RECEIPT:
    'The head-end acknowledged a reading without a receipt that its owner can have made. The reading stays: the head-end is wrong, or somebody is in between.',
  ERR_UPLINK_TIMEOUT: 'No receipt came in time: the reading stays in the outbox and is tried again later.',
  ERR_RENEWAL_CLOCK:
    'A certificate looks as if it were due, but the clock of the device and that of its CA are days apart: nothing is renewed until they agree. Put the clock right.',
  ERR_RENEWAL_DISK:
    'The disk refused the plan of a renewal (full, read-only or failing): the keys in use stay. Make room or replace the disk.',
  ERR_RENEWAL_IDENTITY: 'A renewal was asked of a device whose identity cannot be replaced where it lies.',
  ERR_JOURNAL_READ: 'The journal of operations cannot be read: check the disk.',
  ERR_JOURNAL_FORMAT:
    'The file in the place of the journal of operations is not one, is of another device, or of a version that this program does not know. Nothing was removed: move it aside or use the program that wrote it. Without its counters a meter would take old commands again.',
  ERR_JOURNAL_DAMAGED:
    'The journal of operations is damaged before its end. Nothing was dropped: keep the file for the operator, who decides whether the meter may begin anew.',
  ERR_JOURNAL_WRITE:
    'The disk refused a write of the journal of operations (full, read-only or failing): the meter takes no command until it can be written. Buttons and the limiter go on.',
  ERR_OPERATIONS_CLOSED: 'The operations of a meter were used after close(): open them again.',
  ERR_OPERATIONS_BUSY:
    'Too many commands and events wait for one meter: they come faster than its disk takes them.',
  ERR_UPLINK_ABORTED: 'The wake was ended from outside: what was not acknowledged stays in the outbox.',
} as const;

export type EdgeErrorCode = keyof typeof EDGE_ERRORS;
