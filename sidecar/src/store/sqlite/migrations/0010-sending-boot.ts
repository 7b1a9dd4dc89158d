/** When a command was handed to the gateway, by a clock that is never corrected: whether the gateway still has its key. */
export const sendingBoot = `
-- Ms since the machine started. Null: handed over by an earlier release.
ALTER TABLE commands ADD COLUMN sending_boot_ms INTEGER;
-- How much a gateway process was asked lately: it forgets keys by number as well as by age.
CREATE INDEX commands_sending_boot ON commands (gateway_process, sending_boot_ms) WHERE sending_boot_ms IS NOT NULL;
`;
