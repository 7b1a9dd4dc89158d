/** What the last transaction of each sidecar was. A number of the server's would be given to another one after a replica was promoted. */
export const commits = `
CREATE TABLE commits (
  -- A process of a sidecar.
  writer uuid PRIMARY KEY,
  n bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);
`;
