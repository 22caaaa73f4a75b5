import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sampleCommand } from '../../../protocol/testing/command-samples.ts';
import { type DeskClient, deskClient } from '../desk-client/client.ts';
import { connectDesk } from '../desk-client/connection.ts';
import type { Terminal } from '../desk-client/terminal.ts';
import { EAN, METER } from '../desk-client/testing/desk.ts';
import {
  cutsOff,
  type Handler,
  type OddServer,
  says,
  startOddServer,
} from '../desk-client/testing/server.ts';
import { checkConfirmable, confirmMeter, confirmSignature } from './confirm.ts';

let server: OddServer;
let client: DeskClient;
beforeAll(async () => {
  server = await startOddServer();
  client = deskClient(connectDesk(server.url, server.operator.tls));
});
afterAll(async () => {
  client.close();
  await server.close();
});

let questions: string[];
beforeEach(() => {
  questions = [];
  server.answer(cutsOff);
});

/** Somebody who types these, one after the other. */
function terminalOf(...answers: readonly string[]): Terminal {
  const left = [...answers];
  return {
    present: true,
    async ask(question) {
      questions.push(question);
      return left.shift() ?? '';
    },
    askSecret: async () => 'secret',
    tell: () => undefined,
  };
}

const nobody = { present: false };
const right: Handler = (_, response) => void response.writeHead(204).end();
const wrong = says(409, { title: 'No', code: 'ERR_DESK_EAN', detail: 'no' }, 'application/problem+json');
const open = { type: 'breaker.open', device: METER } as const;
const read = { type: 'read.now', device: METER } as const;
const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'confirmed',
    (error: { code?: string }) => error.code,
  );

describe('a critical command', () => {
  it('fails at once without a terminal, unless told --yes', () => {
    expect(() => checkConfirmable('breaker.open', { yes: false, terminal: nobody })).toThrow(
      expect.objectContaining({ code: 'ERR_OP_CONFIRM' }),
    );
    checkConfirmable('breaker.open', { yes: true, terminal: nobody });
    checkConfirmable('read.now', { yes: false, terminal: nobody });
  });

  it.each([
    ['as it is printed', EAN],
    ['in groups', '541 4488 2000 0000 009'],
  ])('takes the EAN of the meter %s, and asks the desk whether it is it', async (_, typed) => {
    server.answer(right);
    const terminal = terminalOf(typed);
    expect(await code(confirmMeter(open, { yes: false, terminal, client }))).toBe('confirmed');
    expect(questions).toEqual([`EAN of the meter ${METER} (18 digits, empty to stop): `]);
    expect(server.asked).toEqual([`POST /v1/meters/${METER}/identify`]);
  });

  it('asks again after the EAN of another meter, and gives up after three', async () => {
    server.answer(wrong, right);
    expect(await code(confirmMeter(open, { yes: false, terminal: terminalOf(EAN, EAN), client }))).toBe(
      'confirmed',
    );
    server.answer(wrong);
    const terminal = terminalOf(EAN, EAN, EAN, EAN);
    expect(await code(confirmMeter(open, { yes: false, terminal, client }))).toBe('ERR_DESK_EAN');
    expect(server.asked).toHaveLength(3);
  });

  it('is not signed where nothing or nonsense is typed, and the desk is not asked', async () => {
    for (const terminal of [terminalOf(''), terminalOf('yes', 'y', '12')])
      expect(await code(confirmMeter(open, { yes: false, terminal, client }))).toBe('ERR_OP_DECLINED');
    expect(server.asked).toEqual([]);
  });

  it('asks nothing with --yes, and a routine one never does', async () => {
    const terminal = terminalOf();
    expect(await code(confirmMeter(open, { yes: true, terminal, client }))).toBe('confirmed');
    expect(await code(confirmMeter(read, { yes: false, terminal, client }))).toBe('confirmed');
    expect(questions).toEqual([]);
  });
});

describe('an approval', () => {
  const command = sampleCommand('breaker.open', { reason: 'moving out, case 4711' });

  it('shows who asks for what, at which meter and why', async () => {
    await confirmSignature(command, 'ann (operator)', { yes: false, terminal: terminalOf('oui') });
    const [shown = ''] = questions;
    for (const said of ['ann (operator)', 'breaker.open', command.device, 'credit', 'case 4711'])
      expect(shown).toContain(said);
  });

  it.each(['', 'n', 'no', 'maybe'])('is not given with “%s”', async (answer) => {
    const terminal = terminalOf(answer);
    expect(await code(confirmSignature(command, 'ann', { yes: false, terminal }))).toBe('ERR_OP_DECLINED');
  });
});
