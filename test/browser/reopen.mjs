// The details of a channel, closed and opened again before the browser has told of the close.
import { openPage, rowOf, say, withBrowser } from './chromium.mjs';

export const reopen = (url, channel) => withBrowser(async (browser) => {
  const { page, wrong } = await openPage(browser, url);
  await rowOf(page, channel).click();
  const live = page.locator('#details .badge[data-tone=good]').first();
  await live.waitFor();
  const told = await page.evaluate((name) => new Promise((resolve) => {
    const details = document.getElementById('details');
    details.addEventListener('close', () => resolve(details.open));
    details.close();
    [...document.querySelectorAll('button')].find((button) => button.textContent.trim() === name).click();
  }), channel);
  await page.locator('.player[data-state=playing]').waitFor();
  say('open', { told });
  await live.waitFor({ state: 'detached' });
  await page.locator('#details .cell-reason').first().waitFor();
  say('left', { wrong });
});
