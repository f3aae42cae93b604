import { request } from 'node:http';

export interface Exchange {
  status: number;
  text: string;
}

export interface ExchangeOptions {
  method: string;
  headers: Record<string, string>;
  body?: Buffer;
  timeoutMs: number;
}

/** One request and its answer, on a connection of its own. `fetch` is not used: it refuses some 80 ports. */
export function exchange(url: URL, { method, headers, body, timeoutMs }: ExchangeOptions): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const sent = request(url, { method, headers, signal, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    sent.on('error', reject).end(body);
  });
}
