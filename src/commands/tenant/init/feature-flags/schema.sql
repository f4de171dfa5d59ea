-- One row per tenant, with the features that it has and the variant that it runs.
CREATE TABLE tenants (
  id VARCHAR(40) NOT NULL PRIMARY KEY, -- part of names of objects: a-z, 0-9 and -
  active BOOLEAN NOT NULL DEFAULT TRUE,
  -- The form takes what is no JSON for an empty object, so it is refused here.
{%- if engine == "sqlite" %}
  flags TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(flags)),
{%- else %}
  flags JSON NOT NULL DEFAULT ('{}'), -- in brackets for MySQL
{%- endif %}
  variant VARCHAR(5) NOT NULL DEFAULT 'blue' CHECK (variant IN ('blue', 'green')),
  min_replicas INTEGER NOT NULL DEFAULT 1,
  max_replicas INTEGER NOT NULL DEFAULT 3
);

INSERT INTO tenants (id, active, flags, variant, min_replicas, max_replicas) VALUES
  ('acme', TRUE, '{"newCheckout": true, "search": {"engine": "vector", "limit": 50}}', 'green', 2, 6),
  ('globex', TRUE, '{"darkMode": true}', 'blue', 1, 3),
  ('hooli', TRUE, '{}', 'blue', 1, 2),
  ('initech', FALSE, '{"newCheckout": true}', 'blue', 1, 3);
