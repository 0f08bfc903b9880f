// The events of the server, for as long as the page is open.
import * as api from './api.js';

// silence is after how many milliseconds without a word the connection counts as
// lost: the server says something every second. A laptop that slept is noticed so.
const silence = 5000;
const [soonest, latest] = [1000, 8000];

// follow calls back for each state and each end, for the beginning of every
// connection, and when it is lost, with what is wrong.
export function follow({ opened, state, end, lost }) {
  let source;
  let heard = performance.now();
  let wait = soonest;
  let retry;

  function open() {
    clearTimeout(retry);
    source?.close();
    const current = api.events();
    source = current;
    heard = performance.now();
    current.addEventListener('open', () => opened());
    current.addEventListener('state', (event) => {
      heard = performance.now();
      wait = soonest;
      state(JSON.parse(event.data));
    });
    current.addEventListener('end', (event) => end(JSON.parse(event.data)));
    current.addEventListener('error', () => {
      if (current === source) broken('The connection to the server is lost.');
    });
  }

  // broken asks the server what is wrong: a browser does not tell how it answered.
  async function broken(what) {
    const failed = source;
    source.close();
    lost(what);
    try {
      await api.getStatus();
    } catch (error) {
      lost(error.message === 'The server does not answer.' ? what : error.message);
    }
    if (failed !== source) return;
    clearTimeout(retry);
    retry = setTimeout(open, wait);
    wait = Math.min(2 * wait, latest);
  }

  setInterval(() => {
    if (performance.now() - heard < silence || source.readyState === EventSource.CLOSED) return;
    broken('The server has stopped answering.');
  }, 1000);
  open();
}
