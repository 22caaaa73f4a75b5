import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { OpenedOfficeIdentity } from '../../pki/office/identity.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import type { Answer, DeskFace, Proposal, Told } from './marco-desk.ts';

/** A desk through its API: mutual TLS with the identity of whoever asks, JSON, and lines of JSON in bulk. */

interface View {
  readonly id: CommandId;
  readonly state: string;
  readonly code: string | null;
}

export interface ApiFace extends DeskFace {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  close(): void;
}

/** What the API says where it refuses (RFC 9457), as an error with its code. */
export class ApiRefusal extends Error {
  readonly code: string;
  readonly status: number;

  constructor(status: number, { code = 'none', detail = '' }: { code?: string; detail?: string }) {
    super(`${status} ${code}: ${detail}`);
    this.code = code;
    this.status = status;
  }
}

const lineOf = ({ device, signed }: Proposal): string =>
  JSON.stringify({ device, signed: Buffer.from(signed).toString('base64') });

const toldOf = ({ id, state, code }: View): Told => ({ id, state, code });

export function apiFace(url: string, { tls }: Pick<OpenedOfficeIdentity, 'tls'>): ApiFace {
  const agent = new Agent({ keepAlive: true, ...tls });

  async function ask(method: 'GET' | 'POST', path: string, type: string, body?: string): Promise<string> {
    const { status, answer } = await new Promise<{ status: number; answer: string }>((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': type };
      const sent = request(new URL(path, url), { agent, method, headers }, (response) => {
        text(response).then((answer) => resolve({ status: response.statusCode!, answer }), reject);
      });
      sent.once('error', reject);
      sent.end(body);
    });
    if (status >= 200 && status < 300) return answer;
    throw new ApiRefusal(status, JSON.parse(answer) as { code?: string; detail?: string });
  }

  const get = async <T>(path: string): Promise<T> => JSON.parse(await ask('GET', path, '')) as T;
  const post = async <T>(path: string, body: unknown): Promise<T> =>
    JSON.parse(await ask('POST', path, 'application/json', JSON.stringify(body))) as T;

  return {
    get,
    post,
    close: () => agent.destroy(),
    propose: async (proposal) =>
      toldOf(await post<View>('/v1/commands', JSON.parse(lineOf(proposal)) as object)),
    async bulk(proposals) {
      const lines = `${proposals.map(lineOf).join('\n')}\n`;
      const answers = (await ask('POST', '/v1/commands/bulk', 'application/x-ndjson', lines)).trimEnd();
      return answers.split('\n').map((line): Answer => {
        const answer = JSON.parse(line) as { id: CommandId; state: string } | { code: string };
        return 'state' in answer ? { ...answer, code: null } : { refused: answer.code };
      });
    },
    async show(id) {
      const view = await get<View & { signed: string }>(`/v1/commands/${id}`);
      return { ...toldOf(view), signed: Buffer.from(view.signed, 'base64') };
    },
    approve: async (id, signed) =>
      toldOf(
        await post<View>(`/v1/commands/${id}/approval`, { signed: Buffer.from(signed).toString('base64') }),
      ),
  };
}
