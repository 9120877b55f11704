-- Totals are kept per day and cell. A cell is a combination of dimensions; '' means none.

-- The mark before which nothing changes any more. `decide` locks this row in PostgreSQL.
CREATE TABLE account (
  organization_id TEXT PRIMARY KEY REFERENCES organization,
  closed_until INTEGER NOT NULL DEFAULT -8640000000000000,
  -- Increases with every change of used_card.
  cards_version INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

INSERT INTO account (organization_id) SELECT organization_id FROM organization;

-- About when a key was last used.
ALTER TABLE api_key ADD COLUMN used_at INTEGER;

CREATE TABLE cell (
  organization_id TEXT NOT NULL,
  -- 1, 2, … within the organization.
  cell_id INTEGER NOT NULL,
  report_id TEXT NOT NULL,
  report_name TEXT NOT NULL,
  member TEXT NOT NULL,
  team TEXT NOT NULL,
  model TEXT NOT NULL,
  feature TEXT NOT NULL,
  -- '' is a message that succeeded.
  outcome TEXT NOT NULL,
  rate_card TEXT NOT NULL,
  PRIMARY KEY (organization_id, cell_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX cell_dimensions ON cell (organization_id, member, report_id, report_name, rate_card, team, model, feature, outcome);

-- Clustered by time, because it is mostly written and read in that order. `message_id` is an integer or a text.
CREATE TABLE record (
  organization_id TEXT NOT NULL,
  -- The instant at which it counts.
  at_ms INTEGER NOT NULL,
  message_id ANY NOT NULL CHECK (typeof(message_id) IN ('integer', 'text')),
  revision INTEGER NOT NULL,
  -- The usage day to which it counts.
  day_start INTEGER NOT NULL,
  cell_id INTEGER NOT NULL,
  -- Negative if an adjustment lowers the charge of a closed period; NULL if no rate card could price the message.
  credits_micros INTEGER,
  facts BLOB NOT NULL,
  digest BLOB NOT NULL,
  recorded_at INTEGER NOT NULL,
  -- As received, unless it is the canonical form of the message's instant.
  timestamp TEXT,
  -- The message's instant, if its period was closed when it was charged: the record is an adjustment.
  own_at_ms INTEGER,
  -- The only column that is written later, and only once: the revision that superseded this one.
  superseded_by INTEGER,
  PRIMARY KEY (organization_id, at_ms, message_id, revision)
) STRICT, WITHOUT ROWID;

-- A message is charged once.
CREATE UNIQUE INDEX record_identity ON record (organization_id, message_id, revision);

-- What a record keeps, as reported, if its cell has '(other)' in its place. Most records have no row here: in columns of their own,
-- the nulls would make writing a record 10 % slower.
CREATE TABLE other_name (
  organization_id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  message_id ANY NOT NULL,
  revision INTEGER NOT NULL,
  other_model TEXT,
  other_feature TEXT,
  PRIMARY KEY (organization_id, at_ms, message_id, revision),
  CHECK (coalesce(other_model, other_feature) IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX other_name_model ON other_name (organization_id, other_model, at_ms) WHERE other_model IS NOT NULL;

CREATE INDEX other_name_feature ON other_name (organization_id, other_feature, at_ms) WHERE other_feature IS NOT NULL;

CREATE TABLE day (
  organization_id TEXT NOT NULL,
  day_start INTEGER NOT NULL,
  -- The billing period of the day, fixed by its first record.
  period_start INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  -- How many of them have no price.
  unpriced INTEGER NOT NULL,
  credits_micros INTEGER NOT NULL,
  -- Increases with every change of the day's total.
  version INTEGER NOT NULL,
  PRIMARY KEY (organization_id, day_start)
) STRICT, WITHOUT ROWID;

CREATE TABLE day_cell (
  organization_id TEXT NOT NULL,
  day_start INTEGER NOT NULL,
  cell_id INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  credits_micros INTEGER NOT NULL,
  PRIMARY KEY (organization_id, day_start, cell_id)
) STRICT, WITHOUT ROWID;

-- The sums of day_cell over the days of a period: with many cells, adding up a month of days would take a second.
CREATE TABLE period_cell (
  organization_id TEXT NOT NULL,
  period_start INTEGER NOT NULL,
  cell_id INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  credits_micros INTEGER NOT NULL,
  PRIMARY KEY (organization_id, period_start, cell_id)
) STRICT, WITHOUT ROWID;

-- Only a new, empty database has these tables here. The records of an older one are copied to a new file: `rebuild.ts`.
DROP TABLE usage_record;
DROP TABLE daily_total;
DROP TABLE daily_group_total;
DROP TABLE rate_card;

-- Rate cards as they were stored. They never change.
CREATE TABLE rate_card (
  version TEXT PRIMARY KEY,
  hash TEXT NOT NULL,
  -- Canonical JSON.
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

-- The rate card that an organization uses from an instant on: for all messages, or up to another instant for unpriced ones only.
CREATE TABLE used_card (
  organization_id TEXT NOT NULL,
  for_messages TEXT NOT NULL CHECK (for_messages = iif(until_ms IS NULL, 'all', 'unpriced')),
  from_ms INTEGER NOT NULL,
  version TEXT NOT NULL,
  until_ms INTEGER,
  PRIMARY KEY (organization_id, for_messages, from_ms)
) STRICT, WITHOUT ROWID;

-- The same for organizations before the first of their own. `installation` has its version.
CREATE TABLE default_card (
  for_messages TEXT NOT NULL CHECK (for_messages = iif(until_ms IS NULL, 'all', 'unpriced')),
  from_ms INTEGER NOT NULL,
  version TEXT NOT NULL,
  until_ms INTEGER,
  PRIMARY KEY (for_messages, from_ms)
) STRICT, WITHOUT ROWID;
