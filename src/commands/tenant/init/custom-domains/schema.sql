-- One row per site. A domain may be a whole address: https://www.bakery.example:443/shop.
CREATE TABLE sites (
  id VARCHAR(40) NOT NULL PRIMARY KEY, -- part of names of objects: a-z, 0-9 and -
  active BOOLEAN NOT NULL DEFAULT TRUE,
  domain VARCHAR(200) UNIQUE, -- NULL: a host below sites.example.com
  replicas INTEGER NOT NULL DEFAULT 1
);

INSERT INTO sites (id, active, domain, replicas) VALUES
  ('bakery', TRUE, 'https://www.bakery.example:443/shop', 2),
  ('florist', TRUE, 'Florist.example', 1),
  ('garage', TRUE, NULL, 1),
  ('kiosk', FALSE, 'kiosk.example', 1);
