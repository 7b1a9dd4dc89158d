import { OUTBOX } from "../outbound.ts";

/** Of `messages`: a customer's, or what stands for it. */
export const MESSAGE_ID = `CASE WHEN outbound IS NULL THEN message_id ELSE '${OUTBOX}' END AS message_id`;
