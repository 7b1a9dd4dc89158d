import type { Browser, BrowserContext, Page } from "playwright-core";
import { CONNECTED, type ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { freePort } from "../hotbags/port.ts";
import { askOperator } from "../shop/operator-api.ts";
import { ShopWithOperator } from "../sidecar/shop-with-operator.ts";
import { startBrowser } from "./browser.ts";

/** As OpenClaw tells of them. The sidecar forgets none that it has heard of. */
export const ACCOUNTS = [CONNECTED, { ...CONNECTED, accountId: "outlet" }];

/** How long it is waited for what a page is to show, ms: a machine may have much else to do. */
export const PATIENCE_MS = 60_000;

/** The built sidecar with its console, between the doubles of all that it talks to, and a real browser before it. */
export class ShopWithConsole {
  readonly shop: ShopWithOperator;
  readonly browser: Browser;
  readonly origin: string;

  private constructor(shop: ShopWithOperator, browser: Browser, origin: string) {
    this.shop = shop;
    this.browser = browser;
    this.origin = origin;
  }

  /** `state` makes what the sidecar finds in its folder. */
  static async start(state: (dir: string) => Promise<void>): Promise<ShopWithConsole> {
    const browser = await startBrowser();
    const port = await freePort();
    const shop = await ShopWithOperator.start({ BRIDGE_CONSOLE: `127.0.0.1:${port}` }, tellAccounts, state);
    return new ShopWithConsole(shop, browser, `http://127.0.0.1:${port}`);
  }

  /** What `hotbags console` prints. */
  async link(role: "look" | "act" = "act", user = "anna"): Promise<string> {
    const { url } = await askOperator<{ url: string }>(this.shop.sidecar.dir, "POST", "/api/v1/console/links", {
      role,
      user,
    });
    return url;
  }

  /** A browser of its own, with a page that has come in by a link, at this view. */
  async enter(view = "now", { role = "act", user = "anna", ...options }: EnterOptions = {}): Promise<Visit> {
    const context = await this.browser.newContext({ locale: "en-GB", ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    const visit = { context, page, problems: watch(page) };
    await page.goto(await this.link(role, user));
    await page.getByRole("navigation", { name: /^(Views|Ansichten)$/ }).waitFor();
    if (view !== "now") await page.goto(`${this.origin}/#/${view}`);
    return visit;
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.shop.close();
  }
}

export interface Visit {
  context: BrowserContext;
  page: Page;
  /** What the browser has said that is wrong with the page, such as a breach of its Content-Security-Policy. */
  problems: string[];
}

type ContextOptions = NonNullable<Parameters<Browser["newContext"]>[0]>;
type EnterOptions = ContextOptions & { role?: "look" | "act"; user?: string };

function tellAccounts(gateway: ScriptedGateway): void {
  gateway.accounts = ACCOUNTS;
}

function watch(page: Page): string[] {
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    // What is refused, or can't be reached, the browser says by itself; the page says it in its own words.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      problems.push(message.text());
  });
  return problems;
}
