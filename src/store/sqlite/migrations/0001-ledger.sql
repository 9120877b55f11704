-- Instants are milliseconds since 1970, amounts are whole millionths of a credit. Every key starts with the organization.

CREATE TABLE organization (
  organization_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Each row is in force from `effective_from` until the next one.
CREATE TABLE billing_calendar (
  organization_id TEXT NOT NULL REFERENCES organization,
  effective_from INTEGER NOT NULL,
  time_zone TEXT NOT NULL,
  anchor_day INTEGER NOT NULL CHECK (anchor_day BETWEEN 1 AND 31),
  PRIMARY KEY (organization_id, effective_from)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
  organization_id TEXT NOT NULL REFERENCES organization,
  key_hash BLOB NOT NULL CHECK (length(key_hash) = 32),
  key_id TEXT NOT NULL,
  name TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER,
  PRIMARY KEY (organization_id, key_hash),
  UNIQUE (organization_id, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE report (
  report_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  credit_cost_micros INTEGER NOT NULL CHECK (credit_cost_micros >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE rate_card (
  rate_card_id INTEGER PRIMARY KEY,
  version TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE installation (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Clustered by time, because it is mostly written and read in that order. `message_id` is an integer or a text.
CREATE TABLE usage_record (
  organization_id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  message_id ANY NOT NULL CHECK (typeof(message_id) IN ('integer', 'text')),
  revision INTEGER NOT NULL,
  -- As received, unless it is the canonical form of at_ms.
  timestamp TEXT,
  member TEXT,
  report_id TEXT,
  report_name TEXT,
  credits_micros INTEGER NOT NULL CHECK (credits_micros >= 0),
  rate_card_id INTEGER NOT NULL,
  measurement BLOB NOT NULL,
  digest BLOB NOT NULL,
  recorded_at INTEGER NOT NULL,
  -- The only column that is written later, and only once: the revision that superseded this one.
  superseded_by INTEGER,
  PRIMARY KEY (organization_id, at_ms, message_id, revision)
) STRICT, WITHOUT ROWID;

-- A message is charged once.
CREATE UNIQUE INDEX usage_record_identity ON usage_record (organization_id, message_id, revision);

CREATE TABLE daily_total (
  organization_id TEXT NOT NULL,
  day_start INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  credits_micros INTEGER NOT NULL,
  -- Increases with every change of the day's total.
  version INTEGER NOT NULL,
  PRIMARY KEY (organization_id, day_start)
) STRICT, WITHOUT ROWID;

-- '' means none: messages without a report, which were priced by their text, and messages without a member.
CREATE TABLE daily_group_total (
  organization_id TEXT NOT NULL,
  day_start INTEGER NOT NULL,
  report_id TEXT NOT NULL,
  member TEXT NOT NULL,
  report_name TEXT,
  messages INTEGER NOT NULL,
  credits_micros INTEGER NOT NULL,
  PRIMARY KEY (organization_id, day_start, report_id, member)
) STRICT, WITHOUT ROWID;

INSERT INTO organization VALUES ('default', 'Default', 0);
INSERT INTO billing_calendar VALUES ('default', -8640000000000000, 'UTC', 1);
