// A page full of what hostile clients say of themselves.
import { openPage, rowOf, say, withBrowser } from './chromium.mjs';

// foreign are elements that the page has no reason to have, and listeners in
// attributes, which it never has.
const foreign = (page) => page.evaluate(() => {
  const own = new Set(['/js/theme.js', '/js/main.js', '/mpegts/mpegts.js', '/favicon.svg', '/css/base.css', '/css/controls.css', '/css/page.css', '/css/tables.css', '/css/details.css']);
  const found = [];
  for (const element of document.querySelectorAll('*')) {
    const source = element.getAttribute('src') ?? element.getAttribute('href') ?? element.getAttribute('data');
    if (source !== null && !own.has(source) && source !== '#channels' && element.tagName !== 'VIDEO') found.push(element.outerHTML);
    if (['IFRAME', 'OBJECT', 'EMBED', 'BASE', 'STYLE', 'FORM', 'MATH', 'MARQUEE', 'AUDIO'].includes(element.tagName)) found.push(element.outerHTML);
    if (element.getAttributeNames().some((name) => name.startsWith('on') || name === 'style')) found.push(element.outerHTML);
  }
  return found;
});

// texts are what the page shows of the clients.
const texts = (page, where) => page.locator(where).allTextContents();

export const hostile = (url, channel, ended) => withBrowser(async (browser) => {
  const { page, wrong } = await openPage(browser, url);
  await rowOf(page, channel).click();
  await page.locator('.sheet .table-viewers tbody tr').first().waitFor();
  await page.locator('.player').waitFor();
  const [facts, viewers] = [await texts(page, '.fact dd'), await texts(page, '.table-viewers .cell-viewer')];
  await page.keyboard.press('Escape');
  const rows = await texts(page, '.table-channels .cell-name');
  say('live', { facts, viewers, rows, foreign: await foreign(page) });

  // By now the clients leave.
  await page.locator('#ends .button-more').click();
  await page.waitForFunction((n) => {
    document.querySelector('#ends .button-more').click();
    return document.querySelectorAll('#ends tbody tr').length >= n;
  }, Number(ended), { polling: 500 });
  const search = page.getByRole('searchbox');
  if (await search.isVisible()) await search.fill('<img src=x onerror=alert(1)>');
  say('ended', { ends: await texts(page, '#ends tbody tr'), foreign: await foreign(page), wrong: [...wrong] });

  // What would have been noticed.
  const refused = page.waitForEvent('console');
  await page.evaluate(() => {
    const image = document.createElement('img');
    image.setAttribute('src', 'https://evil.example/');
    document.body.append(image);
  });
  await refused;
  const inner = await page.evaluate(() => {
    const tried = [(element) => { element.innerHTML = '<b>x</b>'; }, (element) => element.setAttribute('onclick', 'alert(1)')];
    return tried.map((attempt) => {
      try {
        attempt(document.createElement('p'));
        return 'it can';
      } catch (error) {
        return error.name;
      }
    });
  });
  say('noticed', { inner, foreign: await foreign(page), wrong });
});
