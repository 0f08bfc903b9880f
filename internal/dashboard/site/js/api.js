// The API of the server, as /api/v1/openapi.json describes it.

const root = '/api/v1/';

// call makes a request and returns what it answers. The error is a sentence of the
// server, or says that there was no answer.
async function call(method, path) {
  let answer;
  try {
    answer = await fetch(root + path, { method, headers: { Accept: 'application/json' } });
  } catch {
    throw new Error('The server does not answer.');
  }
  if (answer.status === 401) {
    location.assign('/login');
  }
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.detail ?? `The server answered ${answer.status}.`);
  }
  return answer.status === 204 ? null : answer.json();
}

const part = encodeURIComponent;

export const getStatus = () => call('GET', 'status');
export const getEnds = (limit) => call('GET', `ends?limit=${limit}`);
export const getSessions = (channel, limit) => call('GET', `sessions?channel=${part(channel)}&limit=${limit}`);
export const getTicket = (channel) => call('GET', `channels/${part(channel)}/play`);
export const closeChannel = (channel) => call('DELETE', `channels/${part(channel)}`);
export const kick = (session) => call('DELETE', `sessions/${part(session)}`);
export const events = () => new EventSource(`${root}events`);

export async function logOut() {
  await fetch('/logout', { method: 'POST' }).catch(() => {});
  location.assign('/login');
}
