-- One row per tenant, each of which gets a PostgreSQL of its own.
CREATE TABLE tenants (
  id VARCHAR(40) NOT NULL PRIMARY KEY, -- part of names of objects: a-z, 0-9 and -
  active BOOLEAN NOT NULL DEFAULT TRUE,
  initial_password VARCHAR(64) NOT NULL, -- read once, and may be overwritten here afterwards
  storage_gib INTEGER NOT NULL DEFAULT 1, -- may grow where the storage class allows it
  app_replicas INTEGER NOT NULL DEFAULT 1
);

INSERT INTO tenants (id, active, initial_password, storage_gib, app_replicas) VALUES
  ('acme', TRUE, 'change-me-acme', 10, 2),
  ('globex', TRUE, 'change-me-globex', 1, 1),
  ('initech', FALSE, 'change-me-initech', 1, 1);
