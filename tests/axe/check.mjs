// Runs axe-core over every page in every language, light and dark, wide and narrow, and measures the first load on a
// processor four times slower. Exits with 1 if there is a finding.

import { readFileSync } from "node:fs";
import puppeteer from "puppeteer-core";

const [base, photo] = process.argv.slice(2);
const axe = readFileSync("node_modules/axe-core/axe.min.js", "utf8");
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
let findings = 0;
let checks = 0;

const PATIENCE = { timeout: 120_000 };

/** Opens everything that can be opened, so that it is checked too. */
async function openUp(page, path) {
  if (path === "/") {
    const input = await page.$("#file");
    await input.uploadFile(photo);
    await page.waitForSelector(".face summary", PATIENCE);
  }
  if (path === "/how") {
    // Each chapter's figure appears when it is seen.
    await page.$$eval("main section", (all) => all.forEach((chapter, index) => {
      setTimeout(() => chapter.scrollIntoView({ behavior: "instant" }), 100 * index);
    }));
    const figures = ["#layers-figure:not([hidden])", "#overfitting-table tr", "#dropout-reading:not(:empty)", "#breaking-reading:not(:empty)"];
    for (const figure of figures) await page.waitForSelector(figure, PATIENCE);
  }
  await page.$$eval("main details", (all) => all.forEach((details) => (details.open = true)));
  if (path === "/") {
    await page.$eval(".buttons button[aria-expanded]", (button) => button.click());
    await page.waitForSelector(".result img", PATIENCE);
  }
}

for (const language of ["en", "cs", "de", "es", "fr", "ja", "pt", "uk"]) {
  for (const path of ["/", "/how", "/about"]) {
    for (const scheme of ["light", "dark"]) {
      for (const width of [1280, 390]) {
        const page = await browser.newPage();
        // axe is put into the page as an inline script.
        await page.setBypassCSP(true);
        await page.setViewport({ width, height: 844 });
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
        await page.goto(`${base}${path}?lang=${language}`, PATIENCE);
        await openUp(page, path);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        checks += 1;
        findings += violations.length;
        for (const { id, help, nodes } of violations) {
          console.log(`${path} ${language} ${scheme} ${width}: ${id}: ${help}`);
          for (const node of nodes.slice(0, 3)) console.log(`    ${node.html.slice(0, 150)}`);
        }
        await page.close();
      }
    }
  }
}
console.log(`${checks} checks, ${findings} findings`);

for (const path of ["/", "/how", "/about"]) {
  const page = await browser.newPage();
  const client = await page.createCDPSession();
  await client.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  await page.goto(`${base}${path}?lang=uk`, { waitUntil: "load" });
  const { bytes, interactive } = await page.evaluate(() => {
    const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    const scripts = entries.filter(({ name }) => !/\.(svg|ico|jpg|png)$/.test(name));
    const [{ domContentLoadedEventEnd }] = performance.getEntriesByType("navigation");
    return { bytes: scripts.reduce((sum, { transferSize }) => sum + transferSize, 0), interactive: domContentLoadedEventEnd };
  });
  console.log(`${path}: ${(bytes / 1000).toFixed(0)} kB without pictures, interactive after ${interactive.toFixed(0)} ms`);
  await page.close();
}
await browser.close();
process.exit(findings > 0 ? 1 : 0);
