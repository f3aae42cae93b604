import type { Report } from './report.js';
import type { Stage } from './stage.js';
import type { Pace } from './windows.js';

export interface Scenario {
  readonly name: string;
  readonly title: string;
  run(stage: Stage, pace: Pace): Promise<Report | Skipped>;
}

export interface Skipped {
  readonly skipped: string;
}
