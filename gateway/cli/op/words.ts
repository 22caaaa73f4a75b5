import { COMMAND_TYPES, type CommandType } from '../../../protocol/command/table.ts';

/** What a command of the table is called at a terminal: `hes op tariff set DEVICE …`. */
export interface CommandWords {
  readonly type: CommandType;
  readonly words: readonly string[];
  /** Arguments that the words say already, by their options. */
  readonly fixed: Readonly<Record<string, string>>;
  /** An argument that may be said behind the device without its option's name. */
  readonly spoken: string | null;
  /** Whether the words without the last one mean it, too: `hes op limiter DEVICE`. */
  readonly usual: boolean;
}

type Given = Omit<CommandWords, 'type' | 'fixed' | 'spoken' | 'usual'> & Partial<CommandWords>;

/** Where the words of the table are not those that people use. Every other row is called by its type. */
const WORDS: Readonly<Partial<Record<CommandType, readonly Given[]>>> = {
  'prepayment.activate': [{ words: ['prepay', 'activate'] }],
  'prepayment.balance': [{ words: ['prepay', 'balance'] }],
  'prepayment.deactivate': [{ words: ['prepay', 'deactivate'] }],
  'limiter.set': [{ words: ['limiter', 'set'], spoken: 'power', usual: true }],
  'p1.set': [
    { words: ['p1', 'on'], fixed: { port: 'on' } },
    { words: ['p1', 'off'], fixed: { port: 'off' } },
  ],
  'read.now': [{ words: ['read'] }],
  'display.message': [{ words: ['message'], spoken: 'text' }],
  'clock.sync': [{ words: ['clock'] }],
  'credential.renew': [{ words: ['credential', 'renew'], spoken: 'key', usual: true }],
};

/** What stands above several: its help says what they are about. */
export const GROUPS: Readonly<Record<string, string>> = {
  tariff: 'tariff plan and switching windows',
  prepay: 'prepayment: into it, out of it, and the balance',
  breaker: 'the electricity supply',
  valve: 'the valve of a gas or water meter',
  limiter: 'how much power the supply gives',
  airplane: '“mode avion”: the meter stays silent until somebody ends that at the meter',
  p1: 'the customer port',
  credential: 'the keys of the device: TLS, signature and key agreement',
};

export function wordsOf(type: CommandType): readonly CommandWords[] {
  const given: readonly Given[] = WORDS[type] ?? [{ words: type.split('.') }];
  return given.map((one) => ({ fixed: {}, spoken: null, usual: false, ...one, type }));
}

/** Each command of the table, in its order: one that is added there is here. */
export const ALL_WORDS: readonly CommandWords[] = COMMAND_TYPES.flatMap(wordsOf);

export interface NoCommand {
  readonly words: readonly string[];
  readonly says: string;
  readonly instead: string;
}

export const NO_COMMANDS: readonly NoCommand[] = [
  {
    words: ['airplane', 'off'],
    says: 'no command: the mode ends at the meter, by somebody who is there',
    instead:
      'nobody ends airplane mode from afar: somebody at the meter does, with its button (an emulated one: hes emulate airplane-off DEVICE); the meter then reports it by itself (hes meter show DEVICE)',
  },
];
