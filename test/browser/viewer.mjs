// Somebody else's page, which plays a stream from the port for viewers.
import { differing, picture } from './newcomer.mjs';
import { patience, say, withBrowser } from './chromium.mjs';

export const viewer = (url) => withBrowser(async (browser) => {
  const page = await browser.newPage();
  page.setDefaultTimeout(patience);
  await page.goto(url);
  const decoded = (frames) => page.waitForFunction(
    (least) => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames >= least, frames);
  await decoded(1);
  const before = await picture(page);
  await decoded(before.frames + 30);
  const after = await picture(page);
  say('playing', { frames: after.frames - before.frames, changed: differing(after.pixels, before.pixels) });
});
