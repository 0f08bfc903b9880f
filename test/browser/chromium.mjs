// A browser that nothing gets past: what it says, asks for and refuses is noted.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const options = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

// patience is for a machine that is busy with other tests.
export const patience = 90_000;

// say tells the test, a JSON object a line.
export const say = (step, facts = {}) => console.log(JSON.stringify({ step, ...facts }));

// withBrowser runs something with a new browser, whose profile is its own.
export async function withBrowser(use) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: options, ignoreDefaultArgs: ['--headless'], timeout: patience,
  });
  try {
    return await use(browser);
  } finally {
    await browser.close();
  }
}

// openPage opens the dashboard, and returns the page with what went wrong in it so
// far: it grows.
export async function openPage(browser, url, { width = 1440, height = 900, scheme = 'light' } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: 'reduce' });
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  const wrong = [];
  const from = new URL(url);
  page.on('dialog', (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => {});
  });
  page.on('pageerror', (error) => wrong.push(`error: ${error.stack || `${error.name}: ${error.message}`}`));
  page.on('popup', (popup) => wrong.push(`window: ${popup.url()}`));
  page.on('frameattached', (frame) => wrong.push(`frame: ${frame.url()}`));
  page.on('request', (request) => {
    const asked = new URL(request.url());
    if (asked.host !== from.host && asked.protocol !== 'blob:') wrong.push(`request: ${request.url()}`);
  });
  page.on('console', (message) => {
    if (message.type() === 'error') wrong.push(`console: ${message.text()}`);
  });
  // A policy that had to refuse something says that the page tried.
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(url);
  await page.locator('#feed[data-state=live]').waitFor();
  return { page, wrong };
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// audit returns what axe-core finds wrong with a page as it is now.
export async function audit(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join('; ')}`);
}

// rowOf is what opens the details of a channel.
export const rowOf = (page, channel) => page.getByRole('button', { name: channel, exact: true });
