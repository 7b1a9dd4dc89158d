/** An instant of the sidecar on a message's way. */
export interface Point {
  point: string;
  /** What has been done by then. */
  meaning: string;
  /** How many POSTs Hot Bags sees in all. */
  posts: number;
  /** Hot Bags refuses the first one. */
  fault?: boolean;
  /** The answer has two replies: on SQLite the first one is handed over in the commit that records it. */
  isOfSecondReply?: boolean;
}

/** Before and after every commit and every effect on the outside, along a message's way. */
export const SIDECAR_POINTS: readonly Point[] = [
  { point: "accept:before-commit", meaning: "the message is not on disk yet, nor acked", posts: 1 },
  { point: "accept:after-commit", meaning: "on disk, not acked: the plugin sends it again", posts: 1 },
  { point: "post:before", meaning: "about to POST", posts: 1 },
  { point: "post:after", meaning: "answered, the answer not on disk: asked again", posts: 2 },
  { point: "delivered:before-commit", meaning: "answered, the answer not on disk: asked again", posts: 2 },
  { point: "delivered:after-commit", meaning: "the commands are on disk; on SQLite the first is in doubt", posts: 1 },
  { point: "sending:before-commit", meaning: "the intent to send is not on disk", posts: 1, isOfSecondReply: true },
  {
    point: "sending:after-commit",
    meaning: "the intent is on disk, nothing was sent: in doubt",
    posts: 1,
    isOfSecondReply: true,
  },
  { point: "send:before", meaning: "about to send: in doubt", posts: 1 },
  { point: "send:after", meaning: "sent, not on disk: in doubt", posts: 1 },
  { point: "sent:before-commit", meaning: "sent, not on disk: in doubt", posts: 1 },
  { point: "sent:after-commit", meaning: "all done", posts: 1 },
  { point: "attempt-failed:before-commit", meaning: "Hot Bags answered 503, not on disk", posts: 2, fault: true },
  {
    point: "attempt-failed:after-commit",
    meaning: "Hot Bags answered 503, the next attempt is on disk",
    posts: 2,
    fault: true,
  },
];

/** Between the answer of Hot Bags' outbox, the store and the send. `given`: how often Hot Bags gives the command. */
export const OUTBOX_POINTS = [
  { point: "poll:after", meaning: "answered, the command not on disk: asked for again", given: 2 },
  { point: "outbox-taken:before-commit", meaning: "answered, the command not on disk: asked for again", given: 2 },
  { point: "outbox-taken:after-commit", meaning: "the command is on disk, and so is the cursor", given: 1 },
  { point: "sending:after-commit", meaning: "the intent is on disk, nothing was sent: in doubt", given: 1 },
  { point: "send:after", meaning: "sent, not on disk: in doubt", given: 1 },
] as const;
