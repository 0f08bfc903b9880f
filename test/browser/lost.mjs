// The server goes away under an open page, and comes back.
import { audit, openPage, say, withBrowser } from './chromium.mjs';

export const lost = (url) => withBrowser(async (browser) => {
  const { page } = await openPage(browser, url);
  say('open');
  await page.getByRole('alert').filter({ hasText: 'What is shown is old.' }).waitFor();
  say('lost', { feed: await page.locator('#feed').textContent(), violations: await audit(page) });
  await page.locator('#feed[data-state=live]').waitFor();
  say('back', { banner: await page.locator('#lost').isVisible() });
});
