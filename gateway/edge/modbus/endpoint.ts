import { z } from 'zod';

/** Where meters are: behind a TCP port (Modbus TCP, or RTU frames through a plain serial server), or on a line. */
const tcp = z.strictObject({
  host: z.string().min(1).max(255),
  port: z.int().min(1).max(65_535).default(502),
});

export const PARITIES = ['none', 'even', 'odd'] as const;

export const serialSchema = z.strictObject({
  path: z.string().min(1).max(4_096),
  baud: z.int().min(300).max(921_600).default(9_600),
  parity: z.enum(PARITIES).default('none'),
  stopBits: z.literal([1, 2]).default(1),
});

export const endpointSchema = z.union([
  z.strictObject({ tcp }),
  z.strictObject({ rtuTcp: tcp }),
  z.strictObject({ serial: serialSchema }),
]);

export type Endpoint = Readonly<z.output<typeof endpointSchema>>;
export type SerialEndpoint = Readonly<z.output<typeof serialSchema>>;

/** As a person would write it: for messages. */
export function endpointText(endpoint: Endpoint): string {
  if ('tcp' in endpoint) return `${endpoint.tcp.host}:${endpoint.tcp.port}`;
  if ('rtuTcp' in endpoint) return `${endpoint.rtuTcp.host}:${endpoint.rtuTcp.port} (RTU)`;
  const { path, baud, parity, stopBits } = endpoint.serial;
  return `${path} ${baud} 8${parity.charAt(0).toUpperCase()}${stopBits}`;
}
