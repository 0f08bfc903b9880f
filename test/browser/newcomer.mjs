// A newcomer: nothing is live, then a stream is, plays in the page, and is kicked.
import { openPage, rowOf, say, withBrowser } from './chromium.mjs';

// picture is how many frames were decoded, and what the newest looks like.
export const picture = (page) => page.evaluate(() => {
  const video = document.querySelector('video');
  const canvas = new OffscreenCanvas(64, 36);
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0, 64, 36);
  return { frames: video.getVideoPlaybackQuality().totalVideoFrames, muted: video.muted, pixels: [...context.getImageData(0, 0, 64, 36).data] };
});

export const differing = (a, b) => a.filter((value, i) => Math.abs(value - b[i]) > 16).length;

export const newcomer = (url, channel) => withBrowser(async (browser) => {
  const { page, wrong } = await openPage(browser, url);
  await page.getByText('Nothing is live yet').waitFor();
  say('empty', { line: await page.locator('.copy-text', { hasText: 'ffmpeg' }).textContent() });

  await rowOf(page, channel).click();
  await page.locator('.player[data-state=playing]').waitFor();
  const before = await picture(page);
  await page.waitForFunction((frames) => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames >= frames + 30, before.frames);
  const after = await picture(page);
  say('playing', {
    frames: after.frames - before.frames, changed: differing(after.pixels, before.pixels), muted: after.muted, details: await page.locator('.facts').textContent(),
  });

  await page.getByRole('button', { name: 'Kick publisher' }).click();
  const ask = page.getByRole('dialog', { name: 'Kick the publisher?' });
  const clicked = Date.now();
  await ask.getByRole('button', { name: 'Kick publisher' }).click();
  say('kicked', { clicked });
  await page.locator('.sheet .cell-reason', { hasText: /killed by an operator/i }).first().waitFor();

  await page.getByRole('button', { name: 'Close the details' }).click();
  await page.locator('#ends .cell-reason', { hasText: /killed by an operator/i }).first().waitFor();
  await page.waitForFunction(() => performance.getEntriesByType('resource').length > 0 && document.querySelector('video').src === '');
  say('left', { wrong });
});
