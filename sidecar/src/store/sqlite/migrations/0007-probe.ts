/** What the store writes to find out whether it can. Empty but for that moment. */
export const probe = `
CREATE TABLE probe (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  filler BLOB NOT NULL
) STRICT;
`;
