import { z } from 'zod';
import { isTenantId, type TenantId } from '../../protocol/identity.ts';
import { between, type Frozen } from '../runtime/config.ts';
import { FRONT_LIMITS, LIMIT_NAMES, type LimitName } from './limits.ts';

/** Paths of files that the front reads; keys and certificates are never in the configuration itself. */
const file = z.string().min(1).max(4_096);

const tenant = z.custom<TenantId>(isTenantId, 'a tenant is 2 to 32 lower-case letters and digits');

/** So many tenants share one front at most: each costs a broker instance and a bus connection. */
export const TENANTS_MAX = 64;

/** Old and new issuing CA while one is rolled over, and room for one more. */
const ISSUERS_MAX = 4;

const tenantTrust = z
  .strictObject({
    /** Certificates of the tenant's issuing CAs (PEM). */
    issuing: z.array(file).min(1).max(ISSUERS_MAX),
    /** One revocation list per issuing CA, read again when it changes. */
    crls: z.array(file).min(1).max(ISSUERS_MAX),
  })
  .superRefine(
    between(
      ['issuing', 'crls'],
      ({ issuing, crls }) => issuing.length === crls.length,
      'every issuing CA has its revocation list',
    ),
  );

const limit = (name: LimitName) => {
  const { value, min, max } = FRONT_LIMITS[name];
  return z.int().min(min).max(max).default(value);
};

const limits = z
  .strictObject(
    Object.fromEntries(LIMIT_NAMES.map((name) => [name, limit(name)])) as {
      [Name in LimitName]: z.ZodDefault<z.ZodInt>;
    },
  )
  .superRefine(atMost('connectBytesMax', 'packetBytesMax'))
  .superRefine(atMost('heldPerClientMax', 'heldPerTenantMax'))
  .superRefine(atMost('heldPerTenantMax', 'heldMax'))
  .superRefine(atMost('commandUnreadBytesMax', 'unreadBytesMax'))
  .superRefine(atMost('connectionsPerTenantMax', 'connectionsMax'))
  .superRefine(atMost('handshakesMax', 'connectionsMax'));

function atMost(smaller: LimitName, larger: LimitName) {
  return between<Record<LimitName, number>>(
    [smaller, larger],
    (values) => values[smaller] <= values[larger],
    'the first must not exceed the second',
  );
}

/** The front's configuration. Which bus it is put on, the process that composes it adds. */
export const frontConfigSchema = z.strictObject({
  listen: z
    .strictObject({
      /** Loopback unless an operator says otherwise. */
      host: z.string().min(1).max(255).default('127.0.0.1'),
      /** 0 takes any free port: for tests. */
      port: z.int().min(0).max(65_535).default(8_883),
    })
    .prefault({}),
  tls: z.strictObject({
    key: file,
    /** The server certificate and, after it, the CA that issued it. */
    certificate: file,
    /** Its first line opens an encrypted key. */
    passphraseFile: file.optional(),
    /** 48 random bytes shared by the fronts behind one address; without it keys are drawn in memory. */
    ticketKeys: file.optional(),
  }),
  /** The field root that every pinned issuing CA must be signed by. */
  root: file,
  tenants: z
    .record(tenant, tenantTrust)
    .refine((tenants) => Object.keys(tenants).length > 0, 'at least one tenant')
    .refine(
      (tenants) => Object.keys(tenants).length <= TENANTS_MAX,
      `at most ${TENANTS_MAX} tenants share a front`,
    ),
  limits: limits.prefault({}),
  /** Development keys are refused unless this says that they are wanted. */
  development: z.boolean().default(false),
});

export type FrontConfig = Frozen<z.output<typeof frontConfigSchema>>;
