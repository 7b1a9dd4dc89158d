/** What a command says besides its text. */
export const commandDetails = `
-- JSON: which message it answers to, for example. NULL: nothing, or forgotten with the text.
ALTER TABLE commands ADD COLUMN details TEXT;
-- The bytes of a file that came with it. Last in the row, where nobody reads past them to the rest.
ALTER TABLE commands ADD COLUMN file BLOB;
`;
