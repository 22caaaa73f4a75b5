import { z } from 'zod';
import { BODY_BYTES_MAX, LINE_BYTES_MAX } from './limits.ts';
import { nameOf } from './match.ts';
import type { Answer, Route } from './route.ts';

/** The description of the API (OpenAPI 3.1), made from the rows that are served: it cannot say something else. */

type Json = Readonly<Record<string, unknown>>;

const VERSION = '1';

/** OpenAPI 3.1 takes JSON Schema 2020-12 as it is. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}

function parametersOf(schema: z.ZodObject | undefined, where: 'path' | 'query'): Json[] {
  if (schema === undefined) return [];
  // As they are once parsed: a number in a query is written as a text, and is a number all the same.
  const described = schemaOf(schema, 'output') as { properties?: Record<string, Json> };
  const optional = new Set(
    Object.entries(schema.shape)
      .filter(([, member]) => (member as z.ZodType).safeParse(undefined).success)
      .map(([name]) => name),
  );
  return Object.entries(described.properties ?? {}).map(([name, member]) => ({
    name,
    in: where,
    required: where === 'path' || !optional.has(name),
    schema: member,
  }));
}

function bodyOf({ body, lines, bytesMax }: Route): Json {
  if (body !== undefined)
    return {
      requestBody: {
        required: true,
        description: `At most ${bytesMax ?? BODY_BYTES_MAX} bytes.`,
        content: { 'application/json': { schema: schemaOf(body, 'input') } },
      },
    };
  if (lines !== undefined)
    return {
      requestBody: {
        required: true,
        description: `Lines of JSON, each of at most ${LINE_BYTES_MAX} bytes and of this schema.`,
        content: { 'application/x-ndjson': { schema: schemaOf(lines, 'input') } },
      },
    };
  return {};
}

const MEDIA = {
  json: ['application/json', 'Done.'],
  lines: ['application/x-ndjson', 'A line of JSON for each, as it is done.'],
  events: ['text/event-stream', 'Events, each with JSON of this schema as its data.'],
} as const;

function answerOf(answer: Answer<z.ZodType>): Json {
  for (const kind of ['json', 'lines', 'events'] as const) {
    const schema = (answer as unknown as Readonly<Record<string, z.ZodType | undefined>>)[kind];
    if (schema === undefined) continue;
    const [media, description] = MEDIA[kind];
    return { description, content: { [media]: { schema: schemaOf(schema, 'input') } } };
  }
  return { description: 'Done; there is nothing to say.' };
}

const PROBLEM = {
  description: 'Not done: RFC 9457, with a code that does not change (docs/errors.md).',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

const PROBLEM_SCHEMA = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer', minimum: 400, maximum: 599 },
    code: { type: 'string', pattern: '^ERR_[A-Z0-9_]+$' },
    detail: { type: 'string' },
  },
} as const;

/** `POST /v1/commands/{id}/approval` becomes `postCommandsIdApproval`. */
function operationId({ method, path }: Route): string {
  const words = path.split('/').slice(2);
  const named = words.map((word) => {
    const plain = word.startsWith('{') ? nameOf(word) : word.replace(/\W/g, '');
    return plain.charAt(0).toUpperCase() + plain.slice(1);
  });
  return method.toLowerCase() + named.join('');
}

export function describeApi(tenant: string, routes: readonly Route[]): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    paths[route.path] ??= {};
    paths[route.path]![route.method.toLowerCase()] = {
      operationId: operationId(route),
      summary: route.summary,
      description: `For: ${route.roles.join(', ')}.`,
      parameters: [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query')],
      ...bodyOf(route),
      responses: { [String(route.answer.status)]: answerOf(route.answer), default: PROBLEM },
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: `Desk of ${tenant}`,
      version: VERSION,
      description:
        'Tele-operations of one operator. Commands are signed by whoever calls; the desk cannot make one up.',
    },
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    paths,
    components: {
      schemas: { Problem: PROBLEM_SCHEMA },
      securitySchemes: {
        office: { type: 'mutualTLS', description: 'A certificate of the tenant’s office.' },
      },
    },
    security: [{ office: [] }],
  };
}
