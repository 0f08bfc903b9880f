// The pictures of the README and of docs/dashboard.md.
import { openPage, rowOf, say, withBrowser } from './chromium.mjs';

export const screenshots = (url, folder, channel, seconds) => withBrowser(async (browser) => {
  const wide = { width: 1280, height: 800 };
  const pages = {
    dashboard: await openPage(browser, url, wide),
    preview: await openPage(browser, url, { ...wide, scheme: 'dark' }),
    phone: await openPage(browser, url, { width: 390, height: 844 }),
  };
  await rowOf(pages.preview.page, channel).click();
  await pages.preview.page.locator('.player[data-state=playing]').waitFor();
  await pages.dashboard.page.waitForTimeout(Number(seconds) * 1000);
  for (const [name, { page, wrong }] of Object.entries(pages)) {
    await page.screenshot({ path: `${folder}/${name}.png` });
    say('screenshot', { name, wrong });
  }
});
