/** No caller waits longer than this for one answer; Node's timers end at 24 days without a word. */
export const LONGEST_WAIT_MS = 3_600_000;
