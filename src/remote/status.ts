/** What the link is doing. */
export type LinkStatus =
  | { state: 'connecting'; attempt: number }
  | { state: 'open'; since: number; epoch: string }
  | { state: 'waiting'; attempt: number; cause: Error }
  /** For good: the remote turned out to be something we must not talk to. */
  | { state: 'refused'; cause: Error }
  | { state: 'closed' };

/** One sentence for logs and people. */
export function describeStatus(status: LinkStatus): string {
  switch (status.state) {
    case 'connecting':
      return 'connecting to the remote engine';
    case 'open':
      return 'connected to the remote engine';
    case 'waiting':
      return `the remote engine cannot be reached (${status.cause.message}); trying again`;
    case 'refused':
      return `the remote engine cannot be used: ${status.cause.message}`;
    case 'closed':
      return 'closed';
  }
}
