// The page: what the server says goes to all of its parts.
import { byId, mark, say, show } from './dom.js';
import { toast } from './controls.js';
import { getEnds } from './api.js';
import { Channels } from './channels.js';
import { Details } from './details.js';
import { Ends, keptEnds } from './ends.js';
import { follow } from './feed.js';
import { History } from './history.js';
import { Tools } from './tools.js';
import { Totals } from './totals.js';

const history = new History();
const tools = new Tools();
const totals = new Totals();
const channels = new Channels(openDetails);
const ends = new Ends();
const details = new Details(() => setPlace(''));

let latest = null; // state
let ended = []; // newest first

// The channel whose details are open is a part of the address, so that it is there
// again when the page is loaded anew, and the way back leads out of the details.
const prefix = '#channel/';
const placed = () => (location.hash.startsWith(prefix) ? location.hash.slice(prefix.length) : '');
const named = /^[A-Za-z0-9_-]{1,1024}$/;

function setPlace(name) {
  if (placed() !== name) window.history.pushState(null, '', name ? prefix + name : location.pathname);
}

function openDetails(name) {
  setPlace(name);
  details.open(name, latest.channels.find((channel) => channel.name === name) ?? null, ended.filter((end) => end.channel === name));
  details.update(latest, history, Date.now());
}

function goToPlace() {
  const name = placed();
  if (!latest || name === details.name) return;
  if (named.test(name)) openDetails(name);
  else details.close();
}

addEventListener('popstate', goToPlace);

function connection(state, text) {
  mark(byId('feed'), 'data-state', state);
  say(byId('feed'), text);
  mark(document.body, 'data-feed', state);
}

follow({
  async opened() {
    try {
      ended = (await getEnds(keptEnds)).ends;
      ends.set(ended);
    } catch (error) {
      toast(error.message, 'bad');
    }
  },
  state(state) {
    const first = latest === null;
    latest = state;
    const now = Date.now();
    connection('live', state.status.draining ? 'Stopping' : 'Connected');
    show(byId('lost'), false);
    history.add(state);
    tools.update(state.status);
    totals.update(state, history);
    channels.update(state, history, now);
    details.update(state, history, now);
    document.title = state.status.counts.live > 0 ? `${state.status.counts.live} live · rtmp-server` : 'rtmp-server';
    if (first) goToPlace();
  },
  end(end) {
    ended = [end, ...ended].slice(0, keptEnds);
    ends.add(end);
    details.ended(end);
  },
  lost(what) {
    connection('lost', 'Connection lost');
    say(byId('lost'), `${what} What is shown is old. Trying again.`);
    show(byId('lost'), true);
  },
});
