import { expect, it } from "vitest";
import { adviceForRedirect } from "./redirect.ts";

const PATH = "/api/integrations/whatsapp/inbound";

it.each([
  [`https://shop.example${PATH}`, `${PATH}/`, `it leads to shop.example${PATH}/, the same with a slash at its end`],
  [`https://shop.example${PATH}/`, PATH, `it leads to shop.example${PATH}, the same with no slash at its end`],
  [`http://shop.example${PATH}`, `https://shop.example${PATH}`, "from http:// to https://: let HOTBAGS_BASE_URL begin"],
  [
    `https://shop.example${PATH}`,
    `https://www.shop.example${PATH}`,
    "www: let HOTBAGS_BASE_URL begin with https://www.",
  ],
  [
    `https://www.shop.example${PATH}`,
    `https://shop.example${PATH}/`,
    "www: let HOTBAGS_BASE_URL begin with https://shop.",
  ],
  [`https://shop.example${PATH}`, `https://new.example${PATH}?token=secret`, "another host: set HOTBAGS_BASE_URL"],
  [`https://shop.example${PATH}`, "/login?next=secret", "it leads to shop.example/login, another page"],
  [`https://shop.example${PATH}`, PATH, "where it comes from: a loop"],
])("a redirect from %s to %s is told with where it leads and what mends it", (from, to, advice) => {
  const url = new URL(from);
  expect(adviceForRedirect(url, URL.parse(to, from))).toContain(advice);
  expect(adviceForRedirect(url, URL.parse(to, from))).not.toContain("secret");
});

it("one without an address is told, too", () => {
  expect(adviceForRedirect(new URL("https://shop.example/"), null)).toContain("names no address");
});
