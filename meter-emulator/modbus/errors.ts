/** What an emulated Modbus meter cannot do. */
export const MODBUS_EMULATOR_ERRORS = {
  ERR_MODBUS_EMULATOR_REGISTER:
    'A value is larger than the register that the profile gives it: the real meter would overflow there.',
  ERR_MODBUS_EMULATOR_LISTEN:
    'The emulated meter cannot serve there: the port is taken or not allowed, or the serial port is not there.',
} as const satisfies Readonly<Record<string, string>>;

export type ModbusEmulatorErrorCode = keyof typeof MODBUS_EMULATOR_ERRORS;
