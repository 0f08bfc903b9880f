// All there is to know and to do about one channel, beside the page.
import { arrange, h, mark, say, show } from './dom.js';
import { attempt, button, copyable, iconButton } from './controls.js';
import { icon } from './icons.js';
import { closeChannel, kick } from './api.js';
import { confirm } from './confirm.js';
import { audioOf, bitrate, bytes, count, duration, framesOf, joined, plural, seconds, since, videoOf } from './format.js';
import { Badge, stateOf } from './health.js';
import { EndList } from './ends.js';
import { Player } from './player.js';
import { addresses } from './publish.js';
import { Sparkline } from './sparkline.js';
import { Viewers } from './viewers.js';

class Chart {
  #value = h('span', { class: 'chart-value' });
  #most = h('span', { class: 'quiet' });
  #spark;
  element;

  constructor(title, kind) {
    this.#spark = new Sparkline(kind);
    this.element = h('div', { class: 'chart' }, h('p', { class: 'chart-head' }, h('span', { class: 'chart-title' }, title), this.#value), this.#spark.element, this.#most);
  }

  update(value, series, format) {
    say(this.#value, value);
    this.#spark.draw(series);
    say(this.#most, series.length > 1 ? `Up to ${format(Math.max(...series))} in the last ${duration(series.length)}` : '');
  }
}

// facts are what is known of a channel, in groups.
const facts = (channel, now) => [
  ['Publisher', channel.publisher || '–'],
  ['Encoder', channel.client || '–'],
  ['Video', videoOf(channel) ? joined(videoOf(channel), framesOf(channel)) : '–'],
  ['Audio', audioOf(channel) || '–'],
  ['Tracks', channel.tracks.length > 2 ? channel.tracks.map((track) => `${track.kind} ${track.id}: ${track.codec || 'unknown'}`).join(', ') : ''],
  ['Keyframe interval', joined(seconds(channel.health.keyframe_interval_seconds), channel.health.longest_keyframe_interval_seconds > 0 && `longest ${seconds(channel.health.longest_keyframe_interval_seconds)}`)],
  ['B-frames', channel.live ? (channel.health.b_frames ? 'yes' : 'no') : '–'],
  ['Stalls', channel.health.stalls > 0 ? `${count(channel.health.stalls)}, longest ${seconds(channel.health.longest_stall_seconds)}` : 'none'],
  ['Timestamp jumps', channel.health.timestamp_jumps > 0 ? count(channel.health.timestamp_jumps) : 'none'],
  ['Received', bytes(channel.health.bytes)],
  ['Kept for newcomers', bytes(channel.cache_bytes)],
  ['Uptime', since(channel.started, now)],
  ['Key', channel.key || '–'],
  ['Stream ID', channel.stream_id || '–'],
];

class Facts {
  #values = new Map();
  element = h('dl', { class: 'facts' });

  update(list) {
    for (const [name, value] of list) {
      if (!this.#values.has(name)) {
        const dd = h('dd');
        const pair = h('div', { class: 'fact' }, h('dt', {}, name), dd);
        this.#values.set(name, { dd, pair });
        this.element.append(pair);
      }
      const { dd, pair } = this.#values.get(name);
      say(dd, value);
      show(pair, value !== '');
    }
  }
}

export class Details {
  #name = '';
  #channel = null;
  #title = h('h2', { id: 'details-title' });
  #state = new Badge();
  #player = new Player();
  #warnings = h('ul', { class: 'warnings' });
  #bitrate = new Chart('Bitrate', 'bitrate');
  #audience = new Chart('Viewers', 'viewers');
  #facts = new Facts();
  #watch = copyable('address to watch', '');
  #publish = copyable('server for the encoder', '');
  #viewers = new Viewers();
  #ends = new EndList();
  #kick = button('Kick publisher', () => this.#kickPublisher(), { kind: 'danger-plain' });
  #close = button('Close channel', () => this.#closeChannel(), { kind: 'danger-plain' });
  #dialog = h('dialog', { class: 'sheet', id: 'details', 'aria-labelledby': 'details-title' },
    h('header', { class: 'sheet-head' }, this.#title, this.#state.element, h('div', { class: 'sheet-orders' }, this.#kick, this.#close),
      iconButton('Close the details', 'close', () => this.#dialog.close())),
    h('div', { class: 'sheet-body', tabindex: '0', role: 'group', 'aria-label': 'Details' },
      this.#player.element, this.#warnings,
      h('div', { class: 'charts' }, this.#bitrate.element, this.#audience.element),
      h('h3', {}, 'Stream'), this.#facts.element,
      h('h3', {}, 'Viewers'), this.#viewers.element,
      h('h3', {}, 'Addresses'),
      h('dl', { class: 'fields' },
        h('dt', {}, 'Server, for OBS'), h('dd', {}, this.#publish.element),
        h('dt', {}, 'To watch'), h('dd', {}, this.#watch.element)),
      h('h3', {}, 'Recently ended here'), this.#ends.element));

  // closed is called when the details are left.
  constructor(closed) {
    document.body.append(this.#dialog);
    this.#dialog.addEventListener('click', (event) => {
      if (event.target === this.#dialog) this.#dialog.close(); // beside the sheet
    });
    this.#dialog.addEventListener('close', () => {
      if (this.#dialog.open) return; // this comes later than the close, and a quick hand has opened it again
      this.#player.close();
      this.#viewers.stop();
      this.#name = '';
      closed();
    });
  }

  get name() { return this.#name; }

  // open shows a channel, which is null if there is none of the name, and what has
  // ended on it.
  open(name, channel, ends) {
    this.#name = name;
    say(this.#title, name);
    this.#ends.set(ends);
    this.#viewers.follow(name);
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#dialog.querySelector('.sheet-body').scrollTop = 0;
    this.#player.show(channel);
  }

  close() { this.#dialog.close(); }

  ended(end) {
    if (end.channel === this.#name) this.#ends.add(end);
  }

  update({ status, channels }, history, now) {
    if (!this.#name) return;
    const channel = channels.find((one) => one.name === this.#name) ?? null;
    this.#channel = channel;
    this.#player.update(channel);
    this.#kick.disabled = !channel?.session;
    this.#close.disabled = !channel;
    this.#state.say(channel ? stateOf(channel) : { word: 'Gone', tone: 'idle' });
    const warnings = channel?.health.warnings ?? [];
    show(this.#warnings, warnings.length > 0);
    if (warnings.join('\n') !== [...this.#warnings.children].map((one) => one.textContent).join('\n')) {
      arrange(this.#warnings, warnings.map((text) => h('li', {}, icon('alert'), h('span', {}, text))));
    }
    const urls = addresses(status.endpoints);
    say(this.#publish.code, `${urls.rtmp}/${this.#name}`);
    say(this.#watch.code, `${urls.rtmp}/${this.#name}/KEY`);
    if (!channel) return;
    const series = history.of(channel.name);
    this.#bitrate.update(bitrate(channel.health.bitrate), series.bitrate, bitrate);
    this.#audience.update(count(channel.viewers), series.viewers, count);
    this.#facts.update(facts(channel, now));
    mark(this.#dialog, 'data-live', String(channel.live));
  }

  async #kickPublisher() {
    const { name, session, publisher } = this.#channel;
    const text = `The publisher of “${name}” (${publisher}) is disconnected. Its viewers wait for the next one; nothing keeps the encoder from coming back.`;
    if (await confirm({ title: 'Kick the publisher?', text, action: 'Kick publisher' })) {
      await attempt(() => kick(session), 'The publisher is kicked.');
    }
  }

  async #closeChannel() {
    const { name, viewers } = this.#channel;
    const text = `The publisher and ${plural(viewers, 'viewer')} of “${name}” are disconnected.`;
    if (await confirm({ title: 'Close the channel?', text, action: 'Close channel' })) {
      await attempt(() => closeChannel(name), 'The channel is closed.');
    }
  }
}
