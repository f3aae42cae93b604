import type { WebSocket } from 'ws';
import type { ChannelSocket } from '../router/channels.js';

/** One end of a data channel, as the registry of channels wants it. */
export function channelSocket(webSocket: WebSocket): ChannelSocket {
  return {
    send: (data, isBinary, done) => webSocket.send(data, { binary: isBinary }, () => done()),
    close: (code, reason) => webSocket.close(code, reason),
    pause: () => webSocket.pause(),
    resume: () => webSocket.resume(),
    onMessage: (listener) => {
      webSocket.on('message', (data: Buffer, isBinary: boolean) => listener(data, isBinary));
    },
    onClose: (listener) => {
      webSocket.once('close', (code, reason) => listener(code, reason.toString()));
    },
  };
}
