/**
 * What the gateway said of a reply, apart from our own words for it: it can quote a customer, and is not for lists, alerts
 * and logs.
 */
export const said = `
ALTER TABLE commands ADD COLUMN said TEXT;

-- Earlier releases put it behind their own words: "OpenClaw refuses this request (INVALID_REQUEST: its words)".
UPDATE commands SET said = last_error, last_error = substr(last_error, 1, instr(last_error, ' (') - 1)
  WHERE last_error GLOB '* ([A-Z(]*: *)';
UPDATE commands SET said = last_error, last_error = substr(last_error, 1, instr(last_error, ': ') - 1)
  WHERE last_error LIKE 'OpenClaw gave it up: %' OR last_error LIKE 'not handed to the gateway: %'
    OR last_error LIKE 'the link broke before the gateway answered: %';
UPDATE commands SET said = NULL WHERE text IS NULL;
UPDATE failures SET reason = substr(reason, 1, instr(reason, ' (') - 1) WHERE reason GLOB '* ([A-Z(]*: *)';
UPDATE failures SET reason = 'OpenClaw gave it up' WHERE kind = 'reply_dropped';

-- And named the message. What lasts is said anew.
UPDATE alerts SET text = 'what was said of it is not kept any more'
  WHERE kind IN ('dead_letter', 'refused_command', 'replies_refused');
`;
