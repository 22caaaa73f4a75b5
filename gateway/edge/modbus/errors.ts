/** What reading a Modbus meter can end with: each fault of line, gateway, meter and profile has its own code. */
export const MODBUS_ERRORS = {
  ERR_MODBUS_CONNECT:
    'The Modbus TCP meter or gateway cannot be reached: check address, port and network. Tried again with backoff.',
  ERR_MODBUS_PORT:
    'The serial port cannot be opened: not there, in use, or not allowed for this user (group dialout). Tried again with backoff.',
  ERR_MODBUS_CLOSED: 'The connection or the serial port went away during a request. It is opened again.',
  ERR_MODBUS_TIMEOUT:
    'No answer: meter off, line open or crossed (A/B), another speed, parity or unit id. `hes modbus scan` finds which.',
  ERR_MODBUS_CRC:
    'Answers come and their checksum is wrong: noise, a missing termination, two meters with one unit id, or a wrong speed.',
  ERR_MODBUS_FRAME:
    'An answer is not the answer to what was asked (length, function): two masters on one line, or no Modbus device.',
  ERR_MODBUS_UNIT: 'Another unit than the one that was asked answered: check the unit id, and the gateway.',
  ERR_MODBUS_FUNCTION:
    'The meter does not know the function code (exception 1): it is another model than its profile says.',
  ERR_MODBUS_ADDRESS:
    'The meter has no register at that address (exception 2): it is another model or edition than its profile says.',
  ERR_MODBUS_VALUE:
    'The meter refuses the number of registers (exception 3): lower limits.registersMax of its profile.',
  ERR_MODBUS_BUSY: 'The meter stays busy (exception 5 or 6). It is asked again.',
  ERR_MODBUS_DEVICE: 'The meter reports a fault of its own (exception 4, 7, 8 or unknown): see its display.',
  ERR_MODBUS_GATEWAY:
    'The gateway is there, the meter behind it does not answer (exception 10 or 11): check unit id and serial side.',
  ERR_MODBUS_INVALID:
    'The meter says itself that a register has no valid value now. No reading is made of it; it is asked again.',
  ERR_MODBUS_RANGE:
    'A register holds a number that no reading can carry exactly: a wrong profile or word order.',
  ERR_MODBUS_IMPLAUSIBLE:
    'A unit answers, but not with what a meter of this profile can measure: a wrong profile or word order. No reading is made of it.',
  ERR_MODBUS_SERIAL:
    'The meter tells no serial number of its own. Give it in the configuration (serial), as printed on the meter.',
  ERR_MODBUS_PROFILE:
    'There is no built-in profile of that name. `hes modbus profiles` lists them; a file can bring another.',
} as const satisfies Readonly<Record<string, string>>;

export type ModbusErrorCode = keyof typeof MODBUS_ERRORS;
