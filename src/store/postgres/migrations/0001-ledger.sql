-- Instants are milliseconds since 1970, amounts are whole millionths of a credit. Every key starts with the organization, so the
-- tables can be distributed by it as they are. Texts are compared by their bytes, as in SQLite.

CREATE TABLE organization (
  organization_id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  created_at bigint NOT NULL,
  CONSTRAINT organization_pkey PRIMARY KEY (organization_id)
);

-- Each row is in force from `effective_from` until the next one.
CREATE TABLE billing_calendar (
  organization_id text COLLATE "C" NOT NULL,
  effective_from bigint NOT NULL,
  time_zone text NOT NULL,
  anchor_day smallint NOT NULL,
  CONSTRAINT billing_calendar_pkey PRIMARY KEY (organization_id, effective_from),
  CONSTRAINT billing_calendar_anchor CHECK (anchor_day BETWEEN 1 AND 31),
  CONSTRAINT billing_calendar_organization FOREIGN KEY (organization_id) REFERENCES organization (organization_id)
);

CREATE TABLE api_key (
  organization_id text COLLATE "C" NOT NULL,
  key_hash bytea NOT NULL,
  key_id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  scopes text NOT NULL,
  created_at bigint NOT NULL,
  revoked_at bigint,
  CONSTRAINT api_key_pkey PRIMARY KEY (organization_id, key_hash),
  CONSTRAINT api_key_id UNIQUE (organization_id, key_id),
  CONSTRAINT api_key_organization FOREIGN KEY (organization_id) REFERENCES organization (organization_id)
);

-- Shared by all organizations: these become reference tables if the others are distributed.
CREATE TABLE report (
  report_id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  credit_cost_micros bigint NOT NULL,
  CONSTRAINT report_pkey PRIMARY KEY (report_id),
  CONSTRAINT report_cost CHECK (credit_cost_micros >= 0)
);

CREATE TABLE rate_card (
  rate_card_id smallint NOT NULL,
  version text COLLATE "C" NOT NULL,
  CONSTRAINT rate_card_pkey PRIMARY KEY (rate_card_id),
  CONSTRAINT rate_card_version UNIQUE (version)
);

CREATE TABLE installation (
  name text COLLATE "C" NOT NULL,
  value text NOT NULL,
  CONSTRAINT installation_pkey PRIMARY KEY (name)
);

-- A message is charged once. An integer id is in message_number, with message_name ''. A text id is in message_name, with
-- message_number 2^53, which is larger than any integer id, so integers sort before texts.
-- No foreign key to organization: it would cost a lookup per row, and callers have already found the organization.
CREATE TABLE usage_record (
  organization_id text COLLATE "C" NOT NULL,
  message_number bigint NOT NULL,
  message_name text COLLATE "C" NOT NULL,
  revision integer NOT NULL,
  at_ms bigint NOT NULL,
  day_start bigint NOT NULL,
  credits_micros bigint NOT NULL,
  recorded_at bigint NOT NULL,
  superseded_by integer,
  rate_card_id smallint NOT NULL,
  -- As received, unless it is the canonical form of at_ms.
  timestamp text,
  member text COLLATE "C",
  report_id text COLLATE "C",
  report_name text,
  measurement bytea NOT NULL,
  digest bytea NOT NULL,
  CONSTRAINT usage_record_pkey PRIMARY KEY (organization_id, message_number, message_name, revision),
  CONSTRAINT usage_record_credits CHECK (credits_micros >= 0),
  CONSTRAINT usage_record_id CHECK ((message_number = 9007199254740992) = (message_name <> ''))
);

CREATE INDEX usage_record_time ON usage_record (organization_id, at_ms, message_number, message_name);

CREATE TABLE daily_total (
  organization_id text COLLATE "C" NOT NULL,
  day_start bigint NOT NULL,
  messages bigint NOT NULL,
  credits_micros bigint NOT NULL,
  -- Increases with every change of the day's total.
  version bigint NOT NULL,
  CONSTRAINT daily_total_pkey PRIMARY KEY (organization_id, day_start)
);

-- '' means none: messages without a report, which were priced by their text, and messages without a member.
CREATE TABLE daily_group_total (
  organization_id text COLLATE "C" NOT NULL,
  day_start bigint NOT NULL,
  report_id text COLLATE "C" NOT NULL,
  member text COLLATE "C" NOT NULL,
  report_name text,
  messages bigint NOT NULL,
  credits_micros bigint NOT NULL,
  CONSTRAINT daily_group_total_pkey PRIMARY KEY (organization_id, day_start, report_id, member)
);

INSERT INTO organization (organization_id, name, created_at) VALUES ('default', 'Default', 0);

INSERT INTO billing_calendar (organization_id, effective_from, time_zone, anchor_day)
VALUES ('default', -8640000000000000, 'UTC', 1);
