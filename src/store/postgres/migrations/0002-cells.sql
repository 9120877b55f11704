-- Totals are kept per day and cell. A cell is a combination of dimensions; '' means none.
-- Each statement is sent by itself and ends with a semicolon before an empty line. Foreign keys are added after a table is created,
-- because on Citus both tables must be distributed first.

-- Records are copied piece by piece afterwards: `copy-records.ts`. Without these tables, programs of older releases that are still
-- running can neither write nor read usage.
ALTER TABLE IF EXISTS usage_record RENAME TO usage_record_v1;

ALTER TABLE IF EXISTS daily_total RENAME TO daily_total_v1;

ALTER TABLE IF EXISTS daily_group_total RENAME TO daily_group_total_v1;

-- The table below has the same name, and must stay if this is repeated.
DO $$ BEGIN
  IF to_regclass('rate_card_v1') IS NULL THEN
    ALTER TABLE IF EXISTS rate_card RENAME TO rate_card_v1;
  END IF;
END $$;

-- The mark before which nothing changes any more. Commands of an organization lock this row.
CREATE TABLE IF NOT EXISTS account (
  organization_id text COLLATE "C" NOT NULL,
  closed_until bigint NOT NULL DEFAULT -8640000000000000,
  -- Increases with every change of used_card.
  cards_version bigint NOT NULL DEFAULT 0,
  CONSTRAINT account_pkey PRIMARY KEY (organization_id)
);

ALTER TABLE account DROP CONSTRAINT IF EXISTS account_organization;

ALTER TABLE account ADD CONSTRAINT account_organization
  FOREIGN KEY (organization_id) REFERENCES organization (organization_id);

INSERT INTO account (organization_id) SELECT organization_id FROM organization ON CONFLICT (organization_id) DO NOTHING;

-- About when a key was last used.
ALTER TABLE api_key ADD COLUMN IF NOT EXISTS used_at bigint;

-- The id is a hash of the dimensions, so that processes agree on it without asking each other.
CREATE TABLE IF NOT EXISTS cell (
  organization_id text COLLATE "C" NOT NULL,
  cell_id bigint NOT NULL,
  report_id text COLLATE "C" NOT NULL,
  report_name text COLLATE "C" NOT NULL,
  member text COLLATE "C" NOT NULL,
  team text COLLATE "C" NOT NULL,
  model text COLLATE "C" NOT NULL,
  feature text COLLATE "C" NOT NULL,
  -- '' is a message that succeeded.
  outcome text COLLATE "C" NOT NULL,
  rate_card text COLLATE "C" NOT NULL,
  CONSTRAINT cell_pkey PRIMARY KEY (organization_id, cell_id)
);

CREATE INDEX IF NOT EXISTS cell_member ON cell (organization_id, member);

-- A message is charged once. An integer id is in message_number, with message_name ''. A text id is in message_name, with
-- message_number 2^53, which is larger than any integer id, so integers sort before texts.
-- No foreign keys: they would cost a lookup per row. Every record adds to a row of period_cell, which has them.
CREATE TABLE IF NOT EXISTS record (
  organization_id text COLLATE "C" NOT NULL,
  message_number bigint NOT NULL,
  message_name text COLLATE "C" NOT NULL,
  revision integer NOT NULL,
  -- The instant at which it counts.
  at_ms bigint NOT NULL,
  -- The usage day to which it counts.
  day_start bigint NOT NULL,
  cell_id bigint NOT NULL,
  -- Negative if an adjustment lowers the charge of a closed period; NULL if no rate card could price the message.
  credits_micros bigint,
  recorded_at bigint NOT NULL,
  -- The only column that is written later, and only once: the revision that superseded this one.
  superseded_by integer,
  -- The message's instant, if its period was closed when it was charged: the record is an adjustment.
  own_at_ms bigint,
  -- As received, unless it is the canonical form of the message's instant.
  timestamp text,
  facts bytea NOT NULL,
  digest bytea NOT NULL,
  -- As reported, if the cell has '(other)' in its place.
  other_model text COLLATE "C",
  other_feature text COLLATE "C",
  CONSTRAINT record_pkey PRIMARY KEY (organization_id, message_number, message_name, revision),
  CONSTRAINT record_id CHECK ((message_number = 9007199254740992) = (message_name <> ''))
);

CREATE INDEX IF NOT EXISTS record_time ON record (organization_id, at_ms, message_number);

CREATE INDEX IF NOT EXISTS record_unpriced ON record (organization_id, at_ms, message_number) WHERE credits_micros IS NULL;

CREATE INDEX IF NOT EXISTS record_other_model ON record (organization_id, other_model, day_start) WHERE other_model IS NOT NULL;

CREATE INDEX IF NOT EXISTS record_other_feature ON record (organization_id, other_feature, day_start) WHERE other_feature IS NOT NULL;

CREATE TABLE IF NOT EXISTS day (
  organization_id text COLLATE "C" NOT NULL,
  day_start bigint NOT NULL,
  -- The billing period of the day, fixed by its first record.
  period_start bigint NOT NULL,
  messages bigint NOT NULL,
  -- How many of them have no price.
  unpriced bigint NOT NULL,
  credits_micros bigint NOT NULL,
  -- Increases with every change of the day's total.
  version bigint NOT NULL,
  CONSTRAINT day_pkey PRIMARY KEY (organization_id, day_start)
);

CREATE TABLE IF NOT EXISTS day_cell (
  organization_id text COLLATE "C" NOT NULL,
  day_start bigint NOT NULL,
  cell_id bigint NOT NULL,
  messages bigint NOT NULL,
  unpriced bigint NOT NULL,
  credits_micros bigint NOT NULL,
  CONSTRAINT day_cell_pkey PRIMARY KEY (organization_id, day_start, cell_id)
);

-- The sums of day_cell over the days of a period: with many cells, adding up a month of days would take a second.
CREATE TABLE IF NOT EXISTS period_cell (
  organization_id text COLLATE "C" NOT NULL,
  period_start bigint NOT NULL,
  cell_id bigint NOT NULL,
  messages bigint NOT NULL,
  unpriced bigint NOT NULL,
  credits_micros bigint NOT NULL,
  CONSTRAINT period_cell_pkey PRIMARY KEY (organization_id, period_start, cell_id)
);

ALTER TABLE period_cell DROP CONSTRAINT IF EXISTS period_cell_cell;

-- Checked only when a row is new. It is enough to keep every record's cell known, because every record adds to a row of this table.
ALTER TABLE period_cell ADD CONSTRAINT period_cell_cell
  FOREIGN KEY (organization_id, cell_id) REFERENCES cell (organization_id, cell_id);

-- Rate cards as they were stored. They never change.
CREATE TABLE IF NOT EXISTS rate_card (
  version text COLLATE "C" NOT NULL,
  hash text NOT NULL,
  -- Canonical JSON.
  body text NOT NULL,
  created_at bigint NOT NULL,
  CONSTRAINT rate_card_key PRIMARY KEY (version)
);

-- The rate card that an organization uses from an instant on: for all messages, or up to another instant for unpriced ones only.
CREATE TABLE IF NOT EXISTS used_card (
  organization_id text COLLATE "C" NOT NULL,
  for_messages text COLLATE "C" NOT NULL,
  from_ms bigint NOT NULL,
  version text COLLATE "C" NOT NULL,
  until_ms bigint,
  CONSTRAINT used_card_pkey PRIMARY KEY (organization_id, for_messages, from_ms),
  CONSTRAINT used_card_for CHECK (for_messages = CASE WHEN until_ms IS NULL THEN 'all' ELSE 'unpriced' END)
);

-- The same for organizations before the first of their own. `installation` has its version.
CREATE TABLE IF NOT EXISTS default_card (
  for_messages text COLLATE "C" NOT NULL,
  from_ms bigint NOT NULL,
  version text COLLATE "C" NOT NULL,
  until_ms bigint,
  CONSTRAINT default_card_pkey PRIMARY KEY (for_messages, from_ms),
  CONSTRAINT default_card_for CHECK (for_messages = CASE WHEN until_ms IS NULL THEN 'all' ELSE 'unpriced' END)
);

-- Whether there has ever been a key, and usage. Every node of a Citus cluster has this table, so none must ask the others.
INSERT INTO installation (name, value) SELECT 'has_key', 'true' FROM api_key LIMIT 1
ON CONFLICT (name) DO NOTHING;

INSERT INTO installation (name, value) SELECT 'has_usage', 'true' FROM daily_total_v1 LIMIT 1
ON CONFLICT (name) DO NOTHING;

-- The same as the statement in write-statement.ts, with the same order of locks. On Citus, the node that has the organization runs
-- it as a whole, so that an append needs no other node and no two-phase commit. There, an INSERT that is part of another statement
-- sends its rows to every node, so this uses a loop.
CREATE OR REPLACE FUNCTION append_usage(
  of_organization text, mark bigint,
  numbers bigint[], names text[], revisions integer[], instants bigint[], on_days bigint[], in_cells bigint[], amounts bigint[],
  times_recorded bigint[], successors integer[], own_instants bigint[], texts text[], all_facts bytea[], digests bytea[],
  days bigint[], periods bigint[], messages_of_days bigint[], unpriced_of_days bigint[], amounts_of_days bigint[],
  days_of_cells bigint[], cells bigint[], messages_of_cells bigint[], unpriced_of_cells bigint[], amounts_of_cells bigint[],
  old_numbers bigint[], old_names text[], old_revisions integer[], old_successors integer[],
  other_models text[], other_features text[],
  priced_by bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  written record;
  written_days bigint[];
  written_periods bigint[];
  step bigint := 1 + floor(random() * 1048576)::bigint;
BEGIN
  PERFORM 1 FROM account
  WHERE organization_id = of_organization AND closed_until = mark
    AND (priced_by IS NULL OR priced_by = account.cards_version
      + coalesce((SELECT CAST(value AS bigint) FROM installation WHERE name = 'default_cards_version'), 0));
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  INSERT INTO record (organization_id, message_number, message_name, revision, at_ms, day_start, cell_id, credits_micros,
    recorded_at, superseded_by, own_at_ms, timestamp, facts, digest, other_model, other_feature)
  SELECT of_organization, input.*
  FROM unnest(numbers, names, revisions, instants, on_days, in_cells, amounts, times_recorded, successors, own_instants, texts,
    all_facts, digests, other_models, other_features) AS input;
  FOR written IN SELECT * FROM unnest(old_numbers, old_names, old_revisions, old_successors)
    AS input (number, name, revision, successor)
  LOOP
    UPDATE record SET superseded_by = written.successor
    WHERE record.organization_id = of_organization AND record.message_number = written.number
      AND record.message_name = written.name AND record.revision = written.revision;
  END LOOP;
  INSERT INTO day_cell (organization_id, day_start, cell_id, messages, unpriced, credits_micros)
  SELECT of_organization, input.*
  FROM unnest(days_of_cells, cells, messages_of_cells, unpriced_of_cells, amounts_of_cells) AS input
  ON CONFLICT (organization_id, day_start, cell_id) DO UPDATE SET
    messages = day_cell.messages + excluded.messages,
    unpriced = day_cell.unpriced + excluded.unpriced,
    credits_micros = day_cell.credits_micros + excluded.credits_micros;
  FOR written IN
    INSERT INTO day (organization_id, day_start, period_start, messages, unpriced, credits_micros, version)
    SELECT of_organization, input.*, step
    FROM unnest(days, periods, messages_of_days, unpriced_of_days, amounts_of_days) AS input
    ON CONFLICT (organization_id, day_start) DO UPDATE SET
      messages = day.messages + excluded.messages,
      unpriced = day.unpriced + excluded.unpriced,
      credits_micros = day.credits_micros + excluded.credits_micros,
      version = day.version + excluded.version
    RETURNING day_start, period_start
  LOOP
    written_days := written_days || written.day_start;
    written_periods := written_periods || written.period_start;
  END LOOP;
  INSERT INTO period_cell (organization_id, period_start, cell_id, messages, unpriced, credits_micros)
  SELECT of_organization, period.start, input.cell, sum(input.messages)::bigint, sum(input.unpriced)::bigint,
    sum(input.amount)::bigint
  FROM unnest(written_days, written_periods) AS period (day, start)
  JOIN unnest(days_of_cells, cells, messages_of_cells, unpriced_of_cells, amounts_of_cells)
    AS input (day, cell, messages, unpriced, amount) USING (day)
  GROUP BY 2, 3 ORDER BY 2, 3
  ON CONFLICT (organization_id, period_start, cell_id) DO UPDATE SET
    messages = period_cell.messages + excluded.messages,
    unpriced = period_cell.unpriced + excluded.unpriced,
    credits_micros = period_cell.credits_micros + excluded.credits_micros;
  RETURN true;
END
$$;
