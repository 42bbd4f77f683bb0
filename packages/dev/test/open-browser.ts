import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, launch, type Page } from "puppeteer-core";
import { findBinary } from "../src/databases/find-binary.ts";
import { canInstallPackages, installPackages } from "../src/databases/install-packages.ts";

const programs = ["chromium", "chromium-browser", "google-chrome"];
const stepMsMax = 30_000;

/** A Chromium without a window, for tests of pages. Disposing ends it and removes its profile. */
export type OpenBrowser = AsyncDisposable & {
  /** A page in a profile that shares no cookie with another one's. Every wait on it ends within 30 s. */
  newPage(): Promise<Page>;
};

/**
 * Opens Debian's Chromium, or another that is installed; installs it first where that is possible. Throws with what to
 * install where it is not.
 */
export async function openBrowser(): Promise<OpenBrowser> {
  const executablePath = await findChromium();
  const profile = mkdtempSync(join(tmpdir(), "farebox-browser-"));
  const remove = () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  const browser = await launch({
    executablePath,
    userDataDir: profile,
    // Chromium refuses to run as root inside its sandbox; the pages are our own.
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
    timeout: stepMsMax,
  }).catch((error: unknown) => {
    remove();
    throw error;
  });
  return {
    newPage: () => pageOf(browser),
    [Symbol.asyncDispose]: async () => {
      await browser.close();
      remove();
    },
  };
}

async function pageOf(browser: Browser): Promise<Page> {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(stepMsMax);
  return page;
}

async function findChromium(): Promise<string> {
  const found = findBinary(programs);
  if (found !== undefined) return found;
  if (canInstallPackages()) {
    const folder = mkdtempSync(join(tmpdir(), "farebox-apt-"));
    await installPackages(["chromium"], join(folder, "apt-get.log"));
    const installed = findBinary(programs);
    if (installed !== undefined) return installed;
  }
  throw new Error(
    "a browser test needs Chromium: sudo apt-get install --no-install-recommends chromium",
  );
}
