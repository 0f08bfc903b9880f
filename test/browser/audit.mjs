// axe-core looks at every state of the page, in light and dark, wide and narrow.
import { audit, openPage, rowOf, say, withBrowser } from './chromium.mjs';

export const audits = (url, channel) => withBrowser(async (browser) => {
  for (const scheme of ['light', 'dark']) {
    for (const [width, height] of [[1440, 900], [390, 844]]) {
      const { page } = await openPage(browser, url, { width, height, scheme });
      const look = async (state) => say('audit', { state: `${state}, ${scheme}, ${width}`, violations: await audit(page), overflow: await page.evaluate(() => document.documentElement.scrollWidth - innerWidth) });
      if (channel === '') {
        await page.getByText('Nothing is live yet').waitFor();
        await look('empty');
      } else {
        await rowOf(page, channel).waitFor();
        await look('channels');
        await rowOf(page, channel).click();
        await page.locator('.player[data-state=playing]').waitFor();
        await page.locator('.table-viewers tbody tr').first().waitFor();
        await look('details');
        await page.getByRole('button', { name: 'Close channel' }).click();
        await page.getByRole('dialog', { name: 'Close the channel?' }).waitFor();
        await look('confirmation');
        await page.keyboard.press('Escape');
        await page.keyboard.press('Escape');
        await page.getByRole('button', { name: 'Publish' }).click();
        await page.getByRole('dialog', { name: 'Publish a stream' }).waitFor();
        await look('instructions');
      }
      await page.context().close();
    }
  }
  const { page } = await openPage(browser, url);
  await page.evaluate(() => document.body.append(document.createElement('img')));
  say('noticed', { violations: await audit(page) });
});

// login looks at the form, logs in, and out again.
export const login = (url, token) => withBrowser(async (browser) => {
  for (const scheme of ['light', 'dark']) {
    const page = await browser.newPage({ colorScheme: scheme });
    await page.goto(url);
    say('audit', { state: `login, ${scheme}`, violations: await audit(page), overflow: 0 });
    await page.getByLabel('Token').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('The token is wrong.').waitFor();
    say('audit', { state: `refused, ${scheme}`, violations: await audit(page), overflow: 0 });
    await page.getByLabel('Token').fill(token);
    await page.keyboard.press('Enter');
    await page.locator('#feed[data-state=live]').waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Token').waitFor();
    await page.goto(url);
    await page.getByLabel('Token').waitFor();
    await page.close();
  }
  say('left');
});
