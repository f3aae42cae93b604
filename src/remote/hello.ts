import { hostname } from 'node:os';
import type { Message } from '../protocol/messages.js';
import { Payload } from '../protocol/payload.js';

/** Who we were on the connection before; an engine that still knows it makes room for us. */
export interface PreviousSession {
  workerId: string;
  reattachToken?: string;
}

/**
 * The frames that open a connection to an engine, in the order that every version understands: `reattach`, so
 * that the old connection makes way for the new; then who we are, because newer engines hold back registrations
 * until they know (wire protocol 4.2, 8, 16).
 */
export function helloFrames(name: string, version: string, previous: PreviousSession | undefined): Message[] {
  const reattach: Message[] = previous
    ? [
        {
          type: 'reattach',
          previous_worker_id: previous.workerId,
          ...(previous.reattachToken !== undefined && { reattach_token: previous.reattachToken }),
        },
      ]
    : [];
  return [
    ...reattach,
    {
      type: 'invokefunction',
      function_id: 'engine::workers::register',
      data: Payload.of({
        runtime: 'node',
        version,
        name,
        description: 'iii State Gateway',
        os: `${process.platform} (${process.arch})`,
        pid: process.pid, // a worker without one is left out of the engine's list
        isolation: null,
        telemetry: { framework: 'iii-state-gateway', project_name: hostname() },
        features: ['observe.v1', 'large-messages.v1'],
      }),
      action: { type: 'void' },
    },
  ];
}
