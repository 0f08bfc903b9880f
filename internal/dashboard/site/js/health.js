// How a channel does, in a word.
import { h, mark, say } from './dom.js';
import { plural } from './format.js';

// stateOf is what a channel is, and the colour of it.
export function stateOf(channel) {
  if (channel.interrupted) return { word: 'Reconnecting', tone: 'warn' };
  if (!channel.live) return { word: 'Waiting', tone: 'idle' };
  return { word: 'Live', tone: 'good' };
}

// healthOf is how its media comes.
export function healthOf(channel) {
  const { warnings } = channel.health;
  if (!channel.live) return { word: '', tone: 'none' };
  return warnings.length > 0 ? { word: plural(warnings.length, 'warning'), tone: 'warn' } : { word: 'Good', tone: 'good' };
}

// Badge is a word with a dot of its tone. The word says all that the dot does.
export class Badge {
  #word = h('span');
  element = h('span', { class: 'badge' }, h('span', { class: 'dot' }), this.#word);

  say({ word, tone }) {
    say(this.#word, word);
    mark(this.element, 'data-tone', tone);
  }
}
