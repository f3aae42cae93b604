import type { Frame } from './frame-log.js';

export type WriteKind = 'set' | 'replace' | 'increment' | 'append' | 'delete';

/** A write of a worker. Its id is in what it leaves behind, and as `label` in its metadata; later ids were sent later. */
export interface SentWrite {
  readonly id: number;
  readonly worker: number;
  readonly scope: string;
  readonly key: string;
  readonly kind: WriteKind;
}

/** What a caller was told of its write. */
export type Told =
  /** Nothing: its connection ended before. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'error'; readonly code: string }
  /** The gateway has it, `pending`. */
  | { readonly kind: 'accepted'; readonly receipt: string }
  /** The answer of the remote; of a delete it may be the gateway's own, which has no room for a receipt. */
  | { readonly kind: 'answered' };

export interface ToldWrite extends SentWrite {
  readonly told: Told;
  /** It was sent again, under one idempotency key: its id no longer says when it came. */
  readonly repeated: boolean;
}

/** The call of a write. */
export function callOf({ id, scope, key, kind }: SentWrite): { functionId: string; data: object } {
  const value = { id };
  const update = (...ops: object[]) => ({ functionId: 'state::update', data: { scope, key, ops } });
  switch (kind) {
    case 'set':
      return { functionId: 'state::set', data: { scope, key, value } };
    case 'delete':
      return { functionId: 'state::delete', data: { scope, key } };
    case 'replace':
      return update({ type: 'set', path: '', value });
    case 'increment': // no two ways to one value
      return update({ type: 'increment', path: 'n', by: id }, { type: 'set', path: 'last', value: id });
    case 'append':
      return update({ type: 'append', path: ['log'], value: id });
  }
}

export function toldBy(answer: Frame | 'none'): Told {
  if (answer === 'none') return { kind: 'nothing' };
  if (answer['error']) return { kind: 'error', code: String((answer['error'] as { code?: string }).code) };
  const { receipt, pending } = (answer['result'] ?? {}) as { receipt?: string; pending?: boolean };
  return receipt !== undefined && pending === true ? { kind: 'accepted', receipt } : { kind: 'answered' };
}
