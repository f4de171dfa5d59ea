-- One row per pull request of a repository, written by its CI.
CREATE TABLE pull_requests (
  number INTEGER NOT NULL PRIMARY KEY,
  status VARCHAR(10) NOT NULL DEFAULT 'open', -- open, merged, closed
  branch VARCHAR(200) NOT NULL,
  image VARCHAR(300) NOT NULL, -- what the CI built last
  expires_on DATE -- the last day of its environment, NULL: as long as it is open
);

-- weftctl reads this view: a status says neither yes nor no, and no row can switch itself off in time.
CREATE VIEW previews AS
SELECT
  number,
  branch,
  image,
  CASE
    WHEN status = 'open' AND (expires_on IS NULL OR expires_on >= CURRENT_DATE) THEN 1
    ELSE 0
  END AS active
FROM pull_requests;

INSERT INTO pull_requests (number, status, branch, image, expires_on) VALUES
  (101, 'open', 'feature/new-cart', 'nginx:1.29-alpine', '2099-12-31'),
  (102, 'open', 'fix/login', 'nginx:1.28-alpine', NULL),
  (103, 'merged', 'feature/search', 'nginx:1.29-alpine', NULL),
  (104, 'open', 'spike/old-idea', 'nginx:1.28-alpine', '2020-01-31');
