/** A fact of docs/limits.md about OpenClaw, and the tests on the real gateway that would fail if it were another way. */
export interface Fact {
  /** As a reader knows it: words that stand in docs/limits.md. */
  said: string;
  /** The file of its tests, from test/ on. */
  file: string;
  /** What the names of its tests have in them, as the file has it. */
  tests: readonly string[];
}

const DROPS = "e2e/one-gateway/drops.suite.ts";
const GIVEN_UP = "patience/given-up.test.ts";
const TIME_LOCK = "e2e/one-gateway/time-lock.suite.ts";

/** In the order of docs/limits.md. A test holds the words and the names against the files. */
export const FACTS: readonly Fact[] = [
  {
    said: "A reaction (👍), and taking it back, in chats and groups",
    file: DROPS,
    tests: ["a reaction to a reply, nor taking it back", "a reaction to somebody's message in a group"],
  },
  { said: "An edit", file: DROPS, tests: ["an edit: Hot Bags keeps the first text"] },
  { said: "A deletion for everyone", file: DROPS, tests: ["a deletion: Hot Bags keeps what was deleted"] },
  {
    said: "A message whose sender's number WhatsApp does not give (LID only)",
    file: DROPS,
    tests: ["is not heard, until it has given it once; and is answered from then on", "is not heard in a group either"],
  },
  {
    said: "owner writes to a customer on the shop's phone",
    file: DROPS,
    tests: ["to a customer, does not arrive: Hot Bags answers the customer as well"],
  },
  {
    said: "A message from a number that is not in `allowFrom`",
    file: DROPS,
    tests: [
      "is not heard in a group that the operator has allowed, where others are",
      "is not heard, nor answered, and what it wrote stays lost when it is allowed later",
    ],
  },
  {
    said: "more than 60 s before the first connection of a gateway process",
    file: DROPS,
    tests: ["messages that waited at WhatsApp arrive if they are at most 60 s old when it connects"],
  },
  {
    said: "The same after **OpenClaw gave up**",
    file: GIVEN_UP,
    tests: ["WhatsApp refuses for five minutes, OpenClaw gives up, the bridge starts it"],
  },
  {
    said: "A message that had waited for more than 20 minutes when a process **reconnected**",
    file: DROPS,
    tests: ["while the connection was down arrive if they are at most 20 minutes old"],
  },
  {
    said: "A message that **Baileys can't read at first**",
    file: DROPS,
    tests: ["a message that Baileys can't read at first is lost, though it asks for it again"],
  },
  {
    said: "not yet written down by OpenClaw when the gateway was killed",
    file: DROPS,
    tests: ["what OpenClaw had not written down when it was killed is lost"],
  },
  {
    said: "OpenClaw compares `allowFrom` and `groupAllowFrom` digit by digit",
    file: DROPS,
    tests: ["is not heard by the form that is not in allowFrom, and is another chat once both are"],
  },
  {
    said: "Two kinds of end are left alone",
    file: GIVEN_UP,
    tests: ["an account that was logged out or replaced is left alone, while another that stopped is started"],
  },
  {
    said: "All direct chats of the account wait, also those that customers have begun",
    file: TIME_LOCK,
    tests: ["replies to its direct chats wait here, groups and the other account are answered"],
  },
  {
    said: "A reply that WhatsApp refuses by itself (an ack with error 463, or any other)",
    file: TIME_LOCK,
    tests: ["a reply that WhatsApp refuses with 463, while it says that the number stands well, counts as sent"],
  },
  {
    said: "`channels.status` tells the number of OpenClaw's default account",
    file: "e2e/one-gateway/accounts.suite.ts",
    tests: ["linked to another phone: what waits for the old number's customers is held until the operator allows it"],
  },
];
