import {
  isObject,
  type Json,
  type JsonObject,
  member,
  parseJson,
  printJson,
} from '../../src/protocol/json.js';
import { RawWorker } from '../support/raw-worker.js';

/** What a call came back with; `no-result` is an answer without the member `result`, as for a key that is absent. */
export type Answer =
  | { kind: 'result'; value: Json }
  | { kind: 'no-result' }
  | { kind: 'error'; code: string };

/** A worker for which numbers and member names are what the wire says, to the digit. */
export class ExactWorker {
  private constructor(private readonly worker: RawWorker) {}

  static async connect(url: string): Promise<ExactWorker> {
    return new ExactWorker(await RawWorker.connect(url));
  }

  async call(functionId: string, input: JsonObject): Promise<Answer> {
    const id = this.worker.callAsText(functionId, printJson(input));
    const frame = await this.worker.answerTo(id);
    const at = this.worker.frames.indexOf(frame);
    const exact = parseJson(this.worker.texts[at] as string) as JsonObject;
    return answerIn(exact);
  }

  stop(): Promise<void> {
    return this.worker.stop();
  }
}

function answerIn(frame: JsonObject): Answer {
  const error = member(frame, 'error');
  if (isObject(error)) return { kind: 'error', code: String(error['code']) };
  const value = member(frame, 'result');
  return value === undefined ? { kind: 'no-result' } : { kind: 'result', value };
}
