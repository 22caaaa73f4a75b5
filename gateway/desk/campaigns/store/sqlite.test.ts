import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoreFixture } from '../../store/contract.ts';
import { ORES } from '../../store/contract-samples.ts';
import { openSqliteStore } from '../../store/sqlite/store.ts';
import { campaignContract } from './contract.ts';

campaignContract('SQLite', async (): Promise<StoreFixture> => {
  const directory = mkdtempSync(join(tmpdir(), 'hes-campaigns-'));
  const path = join(directory, 'desk.sqlite');
  let store = openSqliteStore({ path, tenant: ORES });
  return {
    store,
    async reopen() {
      await store.close();
      store = openSqliteStore({ path, tenant: ORES });
      return store;
    },
    async dispose() {
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
});
