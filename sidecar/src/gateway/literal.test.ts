import { expect, it } from "vitest";
import { literal } from "./literal.ts";

// That OpenClaw turns these into the text they stand for is shown on the real gateway: test/e2e/one-gateway/reply-texts.suite.ts.
it.each([
  ["an ordinary text stays legible", "Yes, two left!", "&#89;es, two left!"],
  ["marks, brackets and tags", "Now *all* [a](b) <i>", "&#78;ow &#42;all&#42; &#91;a&#93;(b) &#60;i&#62;"],
  ["a text that speaks of references", "it &#42;", "&#105;t &#38;&#35;42&#59;"],
  ["line breaks, and spaces at a line's edge", "a \n  b", "&#97;&#32;&#10;&#32;&#32;b"],
  ["two bars", "a||b", "&#97;&#124;[]()&#124;b"],
  ["emoji, by code point", "x👍🏽", "&#120;&#128077;&#127997;"],
  [
    "what no reference may name goes as it is, and is not the beginning",
    "\u0001No\u0000\uffff",
    "\u0001&#78;o\u0000\uffff",
  ],
  ["private characters go as they are, and a letter after one does not", "ab \ue200cite", "&#97;b \ue200&#99;ite"],
])("%s", (_what, text, written) => {
  expect(literal(text)).toBe(written);
});
