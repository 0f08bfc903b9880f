// The preview of a channel: FLV over WebSocket, which mpegts.js turns into what a
// browser plays. It asks for a ticket each time, so that no key gets to the page.
import { h, mark, say, show } from './dom.js';
import { button, iconButton } from './controls.js';
import { icon } from './icons.js';
import { getTicket } from './api.js';
import { frames, joined, seconds } from './format.js';
import { Socket } from './socket.js';

const mpegts = window.mpegts;

// behindMost is how far the picture may be behind the newest that came, in seconds,
// before it jumps: a page in the background is not kept up to date.
const behindMost = 8;

const settings = {
  customLoader: Socket,
  enableStashBuffer: false, // media is played as it comes
  liveSync: true,
  liveSyncMaxLatency: 3,
  liveSyncTargetLatency: 1.2,
  liveSyncPlaybackRate: 1.15,
  autoCleanupSourceBuffer: true,
  autoCleanupMaxBackwardDuration: 30,
  autoCleanupMinBackwardDuration: 10,
};

export class Player {
  #video = h('video', { class: 'video', playsinline: true, tabindex: '-1', 'aria-label': 'Preview' });
  #note = h('p', { class: 'video-note' });
  #facts = h('span', { class: 'video-facts' });
  #begin = button('Start the preview', () => this.#want(true), { kind: 'main', glyph: 'play' });
  #stop = iconButton('Stop the preview', 'stop', () => this.#want(false));
  #sound = iconButton('Sound', 'muted', () => this.#mute(!this.#video.muted), { 'aria-pressed': 'false' });
  #full = iconButton('Full screen', 'full', () => this.element.requestFullscreen());
  #bar = h('div', { class: 'video-bar' }, this.#stop, this.#sound, this.#facts, this.#full);
  element = h('div', { class: 'player' }, this.#video, h('div', { class: 'video-cover' }, this.#note, this.#begin), this.#bar);

  #channel = null; // as of the last state
  #player = null; // of mpegts.js, while there is a picture or is to be one
  #wanted = false;
  #played = ''; // the publication that was tried last
  #attempts = 0; // tickets that were asked for: the answer to an old one comes too late
  #counted = { at: 0, frames: 0, rate: 0 };

  constructor() {
    mpegts.LoggingControl.enableAll = false;
    this.#mute(true);
    this.#video.addEventListener('playing', () => this.#tell('playing', ''));
    this.#tell('stopped', '');
  }

  // show begins to play a channel, if it is live.
  show(channel) {
    this.#channel = channel;
    this.#want(true);
  }

  // update takes the newest state of the channel, null if it is gone.
  update(channel) {
    this.#channel = channel;
    if (this.#wanted && !this.#player && channel?.live && channel.stream_id !== this.#played) this.#start();
    if (!this.#player && !channel?.live) this.#tell('waiting', 'The picture comes when somebody publishes.');
    this.#measure();
  }

  // close ends everything.
  close() {
    this.#want(false);
    this.#channel = null;
    this.#mute(true);
  }

  #want(wanted) {
    this.#wanted = wanted;
    this.#played = '';
    this.#drop();
    if (!wanted) this.#tell('stopped', '');
    else if (this.#channel?.live) this.#start();
    else this.#tell('waiting', 'The picture comes when somebody publishes.');
  }

  async #start() {
    const attempt = ++this.#attempts;
    const channel = this.#channel;
    this.#played = channel.stream_id;
    this.#tell('loading', 'Loading');
    try {
      const { url } = await getTicket(channel.name);
      if (attempt !== this.#attempts) return;
      const from = new URL(url, location.href);
      from.protocol = from.protocol.replace('http', 'ws');
      this.#play(from.href);
    } catch (error) {
      if (attempt === this.#attempts) this.#tell('failed', error.message);
    }
  }

  #play(url) {
    if (!mpegts.isSupported()) {
      this.#tell('failed', 'This browser plays no live streams.');
      return;
    }
    const player = mpegts.createPlayer({ type: 'flv', isLive: true, url }, settings);
    this.#player = player;
    this.#counted = { at: 0, frames: 0, rate: 0 };
    player.on(mpegts.Events.ERROR, (kind) => this.#over(player, 'failed', sentences[kind] ?? sentences.other));
    player.on(mpegts.Events.LOADING_COMPLETE, () => this.#over(player, 'waiting', 'The stream has ended.'));
    player.attachMediaElement(this.#video);
    player.load();
    Promise.resolve(player.play()).catch(() => {}); // what is wrong comes as an error
  }

  // over is when a picture ends by itself. The channel may come back.
  #over(player, state, note) {
    if (player !== this.#player) return;
    // mpegts.js goes on in whatever calls this: it must not be gone yet.
    queueMicrotask(() => {
      if (player !== this.#player) return;
      this.#drop();
      this.#tell(state, note);
    });
  }

  #drop() {
    this.#attempts++;
    const player = this.#player;
    this.#player = null;
    player?.destroy();
  }

  #tell(state, note) {
    mark(this.element, 'data-state', state);
    say(this.#note, note);
    show(this.#begin, state === 'stopped' || state === 'failed');
    show(this.#bar, state === 'playing' || state === 'loading');
    if (state !== 'playing') say(this.#facts, '');
  }

  #mute(muted) {
    this.#video.muted = muted;
    mark(this.#sound, 'aria-pressed', String(!muted));
    this.#sound.replaceChildren(icon(muted ? 'muted' : 'loud'));
  }

  // measure says how the picture comes to this browser.
  #measure() {
    const video = this.#video;
    if (!this.#player || video.buffered.length === 0) return;
    const behind = video.buffered.end(video.buffered.length - 1) - video.currentTime;
    if (behind > behindMost) video.currentTime += behind - 1;
    const now = performance.now();
    const decoded = video.getVideoPlaybackQuality().totalVideoFrames;
    const passed = (now - this.#counted.at) / 1000;
    this.#counted = { at: now, frames: decoded, rate: this.#counted.at ? Math.max(0, decoded - this.#counted.frames) / passed : 0 };
    say(this.#facts, joined(
      video.videoWidth > 0 && `${video.videoWidth}×${video.videoHeight}`,
      this.#counted.rate > 0 && frames(Math.round(this.#counted.rate)), behind > 0 && `${seconds(behind)} buffered`));
  }
}

const sentences = {
  NetworkError: 'The connection to the stream is lost.',
  MediaError: 'This browser cannot play the codecs of this stream.',
  other: 'The preview does not work.',
};
