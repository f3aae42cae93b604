import { readAdapter } from './adapter.js';
import { check, type Part } from './check.js';
import type { StateConfig } from './config.js';
import type { ConfigDocument } from './document.js';
import type { Overrides } from './overrides.js';
import { keyOf, valueAt } from './paths.js';
import { type Place, placeOutside, type Report } from './report.js';
import { stateBlock } from './schema.js';

interface Surroundings {
  readonly document: ConfigDocument;
  readonly report: Report;
  /** What relative paths are relative to. */
  readonly folder: string;
  readonly dataDir: string;
  readonly remote: Overrides['remote'];
}

export interface LocatedState {
  readonly state: StateConfig;
  /** Where it was said which remote it is, and by which option. */
  readonly place: Place;
  readonly key: string;
}

/** Where state lives, or nothing and the mistakes in the report. */
export function readState(part: Part | undefined, around: Surroundings): LocatedState | undefined {
  const { document, report, remote } = around;
  if (part === undefined && remote === undefined) {
    return { state: { adapter: 'none' }, place: placeOutside(''), key: '' };
  }
  const written = part ?? { key: ['iii-state'], path: [], value: {} };
  const options = check(stateBlock, written, document, report);
  // A mistake beside the adapter does not hide the mistakes in it.
  const named =
    options?.adapter ?? stateBlock.shape.adapter.safeParse(valueAt(written.value, ['adapter'])).data;
  const adapter = named && readAdapter(named, options?.save_interval_ms, written, around);
  if (!options || !adapter) return undefined;

  const common = { triggersEnabled: options.triggers_enabled, maxValueBytes: options.max_value_bytes };
  if (remote === undefined) {
    const option = ['adapter', 'config', 'bridge_url'];
    const place = document.placeOf([...written.path, ...option]);
    return { state: { ...common, ...adapter }, place, key: keyOf([...written.key, ...option]) };
  }
  return { state: { ...common, adapter: 'bridge', remoteUrl: remote.url }, place: remote.place, key: '' };
}
