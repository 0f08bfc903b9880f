// A stream from a WebSocket, for mpegts.js.
const { BaseLoader, LoaderErrors, LoaderStatus } = window.mpegts;

// Socket may be closed before its connection stands, as who closes the details at once
// does. The loader of mpegts.js throws into the page then.
export class Socket extends BaseLoader {
  #socket = null;
  #received = 0;

  constructor() {
    super('socket');
    this._needStash = true;
  }

  open({ url }) {
    const socket = new WebSocket(url);
    this.#socket = socket;
    this._status = LoaderStatus.kConnecting;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => { this._status = LoaderStatus.kBuffering; };
    socket.onmessage = ({ data }) => {
      const start = this.#received;
      this.#received += data.byteLength;
      this._onDataArrival?.(data, start, this.#received);
    };
    socket.onclose = () => {
      this._status = LoaderStatus.kComplete;
      this._onComplete?.(0, this.#received - 1);
    };
    socket.onerror = () => {
      this._status = LoaderStatus.kError;
      this._onError?.(LoaderErrors.EXCEPTION, { code: -1, msg: 'the connection failed' });
    };
  }

  abort() {
    const socket = this.#socket;
    this.#socket = null;
    this._status = LoaderStatus.kComplete;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close();
  }

  destroy() {
    this.abort();
    super.destroy();
  }
}
