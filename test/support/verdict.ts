import type { Accounts, QuarantineReason, Receipt, ReceiptStatus } from '../../src/replication/operator.js';
import type { JournalEntry } from './remote-state.js';
import type { ToldWrite } from './told-writes.js';

/** What a run leaves to judge by. */
export interface Evidence {
  writes: readonly ToldWrite[];
  /** Everything that the remote executed, in order. */
  journal: readonly JournalEntry[];
  /** Where the accepted writes ended, by receipt. */
  endings: ReadonlyMap<string, Receipt>;
  /** Scopes in which all keys have one order. */
  orderedScopes?: ReadonlySet<string>;
  /** Writes that an operator has sent again, or perhaps has, by receipt, and why they were in quarantine. */
  retried?: ReadonlyMap<string, QuarantineReason>;
  /** What the gateway counts of all that it accepted. */
  accounts: Accounts;
}

/** How often a write may have been executed, and why. */
interface Bounds {
  least: number;
  most: number;
  why: string;
}

/** An error after which a write may have been executed all the same. */
const OPEN_ERRORS: readonly string[] = ['GATEWAY_OUTCOME_UNKNOWN', 'SET_ERROR'];

/** Ends of an accepted write in which it may not have been executed; in the log because its lane is held, too. */
const OTHER_ENDS: readonly ReceiptStatus[] = [
  'pending',
  'sent',
  'conflicted',
  'quarantined',
  'expired',
  'superseded',
  'dropped',
];

/** Why a write is in quarantine that was not executed. */
const NEVER_DONE: readonly string[] = ['refused', 'overflow'];

/** What the remote's journal says against what the callers were told; empty if all promises were kept. */
export function violationsIn(evidence: Evidence): string[] {
  const trial = new Trial(evidence);
  return [...trial.strangers(), ...trial.counts(), ...trial.orders(), ...trial.receiptsGivenTwice()];
}

interface Execution {
  write: ToldWrite;
  entry: JournalEntry;
}

class Trial {
  private readonly lanes = new Map<string, Execution[]>();
  private readonly executions = new Map<number, Execution[]>();
  private readonly unknown: JournalEntry[] = [];
  private readonly elsewhere: JournalEntry[] = [];

  constructor(private readonly evidence: Evidence) {
    const writes = new Map(evidence.writes.map((write) => [String(write.id), write]));
    const scopes = new Set(evidence.writes.map(({ scope }) => scope));
    for (const entry of evidence.journal) {
      if (!scopes.has(entry.scope)) continue;
      if (entry.connection === 'elsewhere') {
        this.elsewhere.push(entry);
        continue;
      }
      const write = writes.get(entry.label ?? '');
      if (!write) this.unknown.push(entry);
      else {
        listIn(this.lanes, this.laneOf(entry)).push({ write, entry });
        listIn(this.executions, write.id).push({ write, entry });
      }
    }
  }

  /** What nobody sent. */
  strangers(): string[] {
    return this.unknown.map(
      ({ function_id, scope, key }) => `${function_id} ${scope}/${key}: nobody sent it`,
    );
  }

  /** Lost, doubled, and executed though it was refused. */
  *counts(): Iterable<string> {
    const missingDeletes: string[] = [];
    for (const write of this.evidence.writes) {
      const executions = this.executions.get(write.id) ?? [];
      const { least, most, why } = this.boundsOf(write);
      const times = executions.length;
      if (times < least && !this.foundNothingToDelete(write)) {
        const lost = `${named(write)} is lost: executed ${times} times, ${why}`;
        if (write.kind === 'delete') missingDeletes.push(lost);
        else yield lost;
      }
      if (times > most && !this.hadToBeRepeated(executions)) {
        yield `${named(write)} was executed ${times} times, ${why}`;
      }
    }
    // The answer to a delete has no receipt: of those that came to another end it is only known how many they can be.
    if (missingDeletes.length > this.untoldEnds) yield* missingDeletes;
  }

  /** Out of the order of acceptance. */
  *orders(): Iterable<string> {
    for (const [lane, executions] of this.lanes) {
      const inTurn = executions.filter(({ write }) => !this.isRetried(write));
      const workers = new Set(inTurn.map(({ write }) => write.worker));
      for (const worker of workers) {
        const own = inTurn.filter(({ write }) => write.worker === worker && !write.repeated);
        yield* descents(own.filter(isAccepted), idOf, `${lane}, worker ${worker}`);
        for (const [connection, sent] of groupedBy(own, ({ entry }) => entry.connection)) {
          yield* descents(sent, idOf, `${lane}, worker ${worker}, connection ${connection}`);
        }
      }
      yield* descents(inTurn.filter(hasSequence), sequenceOf, `${lane}, by sequence`);
    }
  }

  /** A receipt names one write. */
  *receiptsGivenTwice(): Iterable<string> {
    const given = new Map<string, ToldWrite>();
    for (const write of this.evidence.writes) {
      if (write.told.kind !== 'accepted') continue;
      const { receipt } = write.told;
      const other = given.get(receipt);
      if (other) yield `${named(other)} and ${named(write)} were given one receipt, ${receipt}`;
      given.set(receipt, write);
    }
  }

  private boundsOf(write: ToldWrite): Bounds {
    const { told } = write;
    switch (told.kind) {
      case 'nothing':
        return { least: 0, most: 1, why: 'told nothing' };
      case 'error':
        return { least: 0, most: OPEN_ERRORS.includes(told.code) ? 1 : 0, why: told.code };
      case 'answered':
        return { least: 1, most: 1, why: 'answered' };
      case 'accepted': {
        const ending = this.evidence.endings.get(told.receipt);
        const why = `${told.receipt} ${ending?.status} ${ending?.reason ?? ''}`;
        const retried = this.evidence.retried?.get(told.receipt);
        // It may have been executed before, too, unless that is certain.
        if (retried) return { least: 0, most: NEVER_DONE.includes(retried) ? 1 : 2, why };
        return { ...boundsOfEnding(ending), why };
      }
    }
  }

  /**
   * A set or delete goes out again over a value of somebody else, be it a write of a process that was killed: no gateway
   * knows of that one.
   */
  private hadToBeRepeated([first, ...others]: readonly Execution[]): boolean {
    if (!first || !isAbsolute(first.write) || others.length !== 1) return false;
    const { journal } = this.evidence;
    const between = journal.slice(
      journal.indexOf(first.entry),
      journal.indexOf((others[0] as Execution).entry),
    );
    const at = this.laneOf(first.entry);
    if (this.elsewhere.some((entry) => this.laneOf(entry) === at && between.includes(entry))) return true;
    const lane = (this.lanes.get(at) ?? []).filter(({ entry }) => between.includes(entry));
    return lane.some((execution) => execution.write.id !== first.write.id && !isAccepted(execution));
  }

  /** A delete need not be executed if the key was absent at its turn: between its worker's writes before and after it. */
  private foundNothingToDelete({ kind, scope, key, worker, id }: ToldWrite): boolean {
    if (kind !== 'delete') return false;
    let wasAbsent = true;
    for (const execution of this.lanes.get(this.laneOf({ scope, key })) ?? []) {
      const { write, entry } = execution;
      if (entry.key !== key) continue;
      const isAbsent = entry.after === undefined;
      const isOwn = write.worker === worker && isAccepted(execution) && !this.isRetried(write);
      if (isOwn && write.id > id) return wasAbsent;
      wasAbsent = isAbsent || (wasAbsent && !isOwn);
    }
    return wasAbsent;
  }

  /** Its turn was another one then. */
  private isRetried({ told }: ToldWrite): boolean {
    return told.kind === 'accepted' && this.evidence.retried?.has(told.receipt) === true;
  }

  /** Accepted writes that came to another end than being executed, and whose callers have no receipt. */
  private get untoldEnds(): number {
    const told = [...this.evidence.endings.values()].filter(({ status }) => OTHER_ENDS.includes(status));
    return OTHER_ENDS.reduce((sum, end) => sum + this.evidence.accounts[end], -told.length);
  }

  private laneOf({ scope, key }: { scope: string; key: string }): string {
    return this.evidence.orderedScopes?.has(scope) ? scope : `${scope}/${key}`;
  }
}

function boundsOfEnding(ending: Receipt | undefined): Omit<Bounds, 'why'> {
  switch (ending?.status) {
    case 'committed':
      return { least: 1, most: 1 };
    case 'expired':
    case 'dropped':
    case 'pending':
      return { least: 0, most: 0 };
    case 'quarantined':
      return { least: 0, most: NEVER_DONE.includes(ending.reason ?? '') ? 0 : 1 };
    default:
      return { least: 0, most: 1 };
  }
}

/** Whether the gateway has answered for it, or sent it from its log. */
function isAccepted({ write, entry }: Execution): boolean {
  return entry.receipt !== undefined || write.told.kind === 'accepted' || write.told.kind === 'answered';
}

function hasSequence({ write, entry }: Execution): boolean {
  return entry.receipt !== undefined || write.told.kind === 'accepted';
}

function sequenceOf({ write, entry }: Execution): number {
  const receipt = write.told.kind === 'accepted' ? write.told.receipt : (entry.receipt ?? '');
  return Number(receipt.slice(receipt.lastIndexOf('-') + 1));
}

function idOf({ write }: Execution): number {
  return write.id;
}

function isAbsolute({ kind }: ToldWrite): boolean {
  return kind === 'set' || kind === 'replace' || kind === 'delete';
}

function* descents(
  executions: readonly Execution[],
  numberOf: (execution: Execution) => number,
  where: string,
): Iterable<string> {
  for (const [at, execution] of executions.entries()) {
    const before = executions[at - 1];
    if (before && numberOf(execution) < numberOf(before)) {
      yield `${where}: ${named(execution.write)} was executed after ${named(before.write)}`;
    }
  }
}

function named({ kind, scope, key, id, told }: ToldWrite): string {
  return `${kind} ${id} of ${scope}/${key} (told ${told.kind})`;
}

function groupedBy<T>(items: readonly T[], nameOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) listIn(groups, nameOf(item)).push(item);
  return groups;
}

function listIn<K, T>(lists: Map<K, T[]>, name: K): T[] {
  const list = lists.get(name) ?? [];
  lists.set(name, list);
  return list;
}
