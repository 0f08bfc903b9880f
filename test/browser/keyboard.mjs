// A walk through the page with nothing but a keyboard.
import { openPage, rowOf, say, withBrowser } from './chromium.mjs';

// focus is what has it: what it is called, what it lies in, and whether that is seen.
const focus = (page) => page.evaluate(() => {
  const element = document.activeElement;
  const outlined = (pseudo) => getComputedStyle(element, pseudo).outlineStyle !== 'none';
  const name = element.getAttribute('aria-label') || element.labels?.[0]?.textContent || element.textContent.trim();
  return {
    name: element === document.body ? '' : name,
    dialog: element.closest('dialog')?.getAttribute('aria-labelledby') ?? '',
    seen: outlined() || outlined('::after') || Boolean(element.nextElementSibling && getComputedStyle(element.nextElementSibling).outlineStyle !== 'none'),
  };
});

// tabTo presses Tab until something of a name has the focus, and returns what had it
// on the way.
async function tabTo(page, name) {
  const way = [];
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    const at = await focus(page);
    way.push(at);
    if (at.name === name) return way;
  }
  throw new Error(`no Tab leads to ${name}: ${JSON.stringify(way)}`);
}

export const keyboard = (url, channel) => withBrowser(async (browser) => {
  const { page, wrong } = await openPage(browser, url);
  await rowOf(page, channel).waitFor();
  const way = await tabTo(page, channel);
  say('walk', { to: 'channel', way });

  await page.keyboard.press('Enter');
  await page.locator('.player[data-state=playing]').waitFor();
  const inside = await tabTo(page, 'Kick publisher');
  inside.push(...await tabTo(page, 'Stop the preview'));
  say('walk', { to: 'preview', way: inside });
  await page.keyboard.press('Enter');
  await page.locator('.player[data-state=stopped]').waitFor();

  await tabTo(page, 'Kick publisher');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Kick the publisher?' }).waitFor();
  const first = await focus(page);
  const asked = [first, ...await tabTo(page, 'Kick publisher'), ...await tabTo(page, 'Cancel')];
  say('walk', { to: 'confirmation', way: asked });
  await page.keyboard.press('Enter'); // on "Cancel"
  await page.getByRole('dialog', { name: 'Kick the publisher?' }).waitFor({ state: 'detached' });
  say('back', await focus(page));
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Kick the publisher?' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog', { name: 'Kick the publisher?' }).waitFor({ state: 'detached' });
  say('back', await focus(page));
  await page.keyboard.press('Escape');
  await page.locator('#details').waitFor({ state: 'hidden' });
  say('back', await focus(page));

  await page.keyboard.press('Enter');
  await tabTo(page, 'Close channel');
  await page.keyboard.press('Enter');
  await tabTo(page, 'Close channel');
  const live = page.locator('#details .badge[data-tone=good]').first();
  await live.waitFor();
  await page.keyboard.press('Enter');
  await live.waitFor({ state: 'detached' });
  say('left', { wrong });
});
