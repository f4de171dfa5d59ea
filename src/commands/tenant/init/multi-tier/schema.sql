-- One row per tenant; those that are not active have nothing in the cluster.
CREATE TABLE tenants (
  id VARCHAR(40) NOT NULL PRIMARY KEY, -- part of the name of a namespace: a-z, 0-9 and -
  active BOOLEAN NOT NULL DEFAULT TRUE,
  display_name VARCHAR(120) NOT NULL,
  plan VARCHAR(20) NOT NULL DEFAULT 'free',
  log_level VARCHAR(10), -- NULL: the form's default
  api_replicas INTEGER NOT NULL DEFAULT 1,
  web_replicas INTEGER NOT NULL DEFAULT 1
);

INSERT INTO tenants (id, active, display_name, plan, log_level, api_replicas, web_replicas) VALUES
  ('acme', TRUE, 'Acme Inc.', 'business', 'debug', 2, 3),
  ('globex', TRUE, 'Globex & Sons', 'free', NULL, 1, 1),
  ('initech', FALSE, 'Initech', 'free', NULL, 1, 1);
