import { TERMINAL_STATES } from '../../lifecycle/states.ts';

const list = (states: readonly string[]): string => states.map((state) => `'${state}'`).join(', ');

/** Items of a campaign lie together and in their order: its number in the high bits, their place in the low ones. */
export const ITEMS_PER_CAMPAIGN = 2 ** 20;

/**
 * Tables of campaigns, as a step of the desk's schema. An item follows its command, and the counts of a wave follow
 * its items, by triggers: in the transaction of whatever ends the command, so that no crash can come between them.
 */
export const CAMPAIGNS_SCHEMA = `
CREATE TABLE campaigns (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL,
  type TEXT NOT NULL,
  person TEXT NOT NULL,
  role TEXT NOT NULL,
  count INTEGER NOT NULL,
  digest TEXT NOT NULL,
  manifest BLOB NOT NULL,
  proposal BLOB NOT NULL,
  reason TEXT,
  parent TEXT,
  expiry INTEGER NOT NULL,
  createdAtMs INTEGER NOT NULL,
  changedAtMs INTEGER NOT NULL,
  approval BLOB,
  approver TEXT,
  received INTEGER NOT NULL DEFAULT 0,
  countersigned INTEGER NOT NULL DEFAULT 0,
  countersigner TEXT,
  wave INTEGER,
  forgivenEnded INTEGER NOT NULL DEFAULT 0,
  forgivenFailed INTEGER NOT NULL DEFAULT 0,
  forgivenSilent INTEGER NOT NULL DEFAULT 0,
  code TEXT
) STRICT;
CREATE INDEX campaignsByState ON campaigns (state);
CREATE TRIGGER campaignEnds BEFORE UPDATE OF state ON campaigns
  WHEN OLD.state IN ('done', 'stopped', 'expired')
  BEGIN SELECT RAISE(ABORT, 'a terminal state does not change'); END;
CREATE TRIGGER campaignIsApproved BEFORE UPDATE OF state ON campaigns
  WHEN NEW.state = 'running' AND (NEW.approval IS NULL OR NEW.approver IS NULL OR NEW.approver = NEW.person)
  BEGIN SELECT RAISE(ABORT, 'a campaign runs with the approval of a second person'); END;
CREATE TRIGGER campaignsStay BEFORE DELETE ON campaigns
  BEGIN SELECT RAISE(ABORT, 'campaigns are not deleted'); END;

CREATE TABLE campaignWaves (
  campaign INTEGER NOT NULL REFERENCES campaigns (seq),
  wave INTEGER NOT NULL,
  size INTEGER NOT NULL,
  startedAtMs INTEGER,
  ready INTEGER NOT NULL DEFAULT 0,
  open INTEGER NOT NULL DEFAULT 0,
  done INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (campaign, wave)
) STRICT, WITHOUT ROWID;

CREATE TABLE campaignItems (
  seq INTEGER PRIMARY KEY,
  campaign INTEGER NOT NULL REFERENCES campaigns (seq),
  wave INTEGER NOT NULL,
  device TEXT NOT NULL,
  command TEXT NOT NULL UNIQUE,
  digest TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'ready',
  outcome TEXT,
  code TEXT,
  fedAtMs INTEGER,
  endedAtMs INTEGER,
  UNIQUE (campaign, device)
) STRICT;
CREATE INDEX campaignItemsReady ON campaignItems (seq) WHERE state = 'ready';
CREATE INDEX campaignItemsOpen ON campaignItems (seq) WHERE state = 'open';
CREATE INDEX campaignItemsFailed ON campaignItems (seq) WHERE state = 'failed';
CREATE TRIGGER campaignItemsStay BEFORE DELETE ON campaignItems
  BEGIN SELECT RAISE(ABORT, 'items of a campaign are not deleted'); END;
CREATE TRIGGER campaignItemEnds BEFORE UPDATE OF state ON campaignItems
  WHEN OLD.state IN ('done', 'failed', 'skipped')
  BEGIN SELECT RAISE(ABORT, 'a terminal state does not change'); END;
CREATE TRIGGER campaignItemIsWhatItWas BEFORE UPDATE OF campaign, wave, device, command, digest ON campaignItems
  BEGIN SELECT RAISE(ABORT, 'an item of a campaign is not another'); END;
CREATE TRIGGER campaignCountsNew AFTER INSERT ON campaignItems BEGIN
  UPDATE campaignWaves SET ready = ready + 1 WHERE campaign = NEW.campaign AND wave = NEW.wave;
END;
CREATE TRIGGER campaignCounts AFTER UPDATE OF state ON campaignItems WHEN OLD.state <> NEW.state BEGIN
  UPDATE campaignWaves SET
    ready = ready - (OLD.state = 'ready') + (NEW.state = 'ready'),
    open = open - (OLD.state = 'open') + (NEW.state = 'open'),
    done = done + (NEW.state = 'done'),
    failed = failed + (NEW.state = 'failed'),
    skipped = skipped + (NEW.state = 'skipped')
  WHERE campaign = NEW.campaign AND wave = NEW.wave;
END;
CREATE TRIGGER campaignFollows AFTER UPDATE OF state ON commands
  WHEN NEW.state IN (${list(TERMINAL_STATES)}) BEGIN
  UPDATE campaignItems SET
    state = CASE
      WHEN NEW.state = 'executed' THEN 'done'
      WHEN NEW.state = 'cancelled' OR (NEW.state = 'refused' AND NEW.code = 'airplane') THEN 'skipped'
      ELSE 'failed'
    END,
    outcome = NEW.state, code = NEW.code, endedAtMs = NEW.changedAtMs
  WHERE command = NEW.id AND state = 'open';
END;

CREATE TABLE campaignSigned (
  seq INTEGER PRIMARY KEY REFERENCES campaignItems (seq),
  signed BLOB NOT NULL,
  complete BLOB
) STRICT;
`;
