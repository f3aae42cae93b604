/** Mistakes planted into the real parts, each of which the simulation must find: otherwise it does not look there. */
import type { Core } from '../../src/replication/core.js';
import type { Lane } from '../../src/replication/log/lanes.js';
import type { Entry } from '../../src/replication/log/layout.js';
import { Scanner } from '../../src/replication/log/scanner.js';
import type { Departure } from '../../src/replication/log/write-ahead-log.js';
import { PendingWrites } from '../../src/replication/pending-writes.js';
import { Held } from '../../src/replication/reads/reader-answers.js';
import type { RemoteAnswer } from '../../src/replication/replay/awaited.js';
import { Fence, type Unanswered } from '../../src/replication/replay/fence.js';
import type { InHand } from '../../src/replication/replay/in-hand.js';
import { Sender } from '../../src/replication/replay/sender.js';
import { Settling } from '../../src/replication/replay/settling.js';
import { ABSENT, type Known, UNKNOWN } from '../../src/replication/view.js';
import { effectOf, type Write } from '../../src/replication/write.js';
import { GroupCommit } from '../../src/storage/group-commit.js';

export interface Defect {
  name: string;
  plant: (core: Core) => void;
}

type Method = (...given: never[]) => unknown;

export const DEFECTS: readonly Defect[] = [
  {
    name: 'no fence is waited for',
    plant: (core) => replace(part(core, Fence), 'passed', () => async () => true),
  },
  {
    name: 'the fence counts from the loss, not from when the remote heard of us again',
    plant: (core) => {
      const fence = part(core, Fence) as unknown as { link: object };
      fence.link = Object.create(fence.link, { openedAt: { value: undefined } });
    },
  },
  {
    name: 'what is sent is not noted',
    plant: ({ log }) => replace(log, 'noteSending', () => () => undefined),
  },
  {
    name: 'after a crash nothing counts as sent',
    plant: ({ log }) => replace(log, 'mayHaveBeenSent', () => () => false),
  },
  {
    name: 'an unanswered write is always sent again',
    plant: (core) =>
      replace(
        part(core, Settling),
        'afterUnanswered',
        () => async (_lane: Lane, _inHand: InHand, unanswered: Unanswered) => {
          await part(core, Fence).passed(unanswered);
          return { kind: 'send' };
        },
      ),
  },
  {
    name: 'an unanswered write counts as applied without a look',
    plant: (core) =>
      replace(part(core, Settling), 'readBack', () => async ({ write }: Entry) => {
        return effectOf(write.input, UNKNOWN).after as Known;
      }),
  },
  {
    name: 'a relative write of unknown outcome is sent again',
    plant: (core) => replace(part(core, Settling), 'settleRelative', () => async () => ({ kind: 'send' })),
  },
  {
    name: 'two online attempts of a key at once',
    plant: ({ writer }) =>
      replace(
        writer,
        'takeTurn',
        (takeTurn) => (lane: Lane, write: Write, rule: never, patienceMs: never) => {
          const isOnline = lane.turn === 'online' && !lane.record;
          const { send } = writer as unknown as { send: Method };
          return isOnline
            ? send.call(writer, lane as never, write as never, patienceMs)
            : takeTurn(lane as never, write as never, rule, patienceMs);
        },
      ),
  },
  {
    name: 'every error counts as a refusal',
    plant: (core) =>
      replace(
        part(core, Sender),
        'answered',
        (answered) => (lane: Lane, inHand: InHand, answer: RemoteAnswer) => {
          const error = answer.error && { ...answer.error, code: 'FORBIDDEN' };
          return answered(lane as never, inHand as never, { ...answer, error } as never);
        },
      ),
  },
  {
    name: 'late answers are not heard',
    plant: (core) =>
      replace(part(core, Sender), 'lateAnswerOf', (lateAnswerOf) => (...given: never[]) => {
        const late = lateAnswerOf(...given) as object;
        return { ...late, answered: () => undefined };
      }),
  },
  {
    name: 'late answers are heard twice',
    plant: (core) =>
      replace(part(core, Sender), 'lateAnswerOf', (lateAnswerOf) => (...given: never[]) => {
        const late = lateAnswerOf(...given) as { answered: (answer: RemoteAnswer) => void };
        const answered = (answer: RemoteAnswer) => {
          late.answered(answer);
          late.answered(answer);
        };
        return { ...late, answered };
      }),
  },
  {
    name: 'the log counts as settled further than it is',
    plant: ({ log }) => log.followAcknowledged(() => log.book.next - 1),
  },
  {
    name: 'a write leaves the log in another batch than its receipt comes',
    plant: ({ log, receipts }) => {
      let earlier: ReturnType<typeof receipts.closing> = [];
      log.writeAlong(() => {
        const now = earlier;
        earlier = receipts.closing();
        return now;
      });
    },
  },
  {
    name: 'receipts are not written',
    plant: ({ log }) => log.writeAlong(() => []),
  },
  {
    name: 'the mirror takes accepted writes for values of the remote',
    plant: ({ acceptance, witness }) =>
      replace(acceptance, 'append', (append) => (lane: Lane, write: Write, ...more: never[]) => {
        const { after } = effectOf(write.input, UNKNOWN);
        const appended = append(lane as never, write as never, ...more);
        if (after.kind !== 'unknown') witness.learn(write.input.scope, write.input.key, after);
        return appended;
      }),
  },
  {
    name: 'the followers of a settled write are dropped',
    plant: ({ log }) =>
      replace(log, 'depart', (depart) => (departure: Departure) => {
        const { lane } = departure;
        if (lane.record && lane.record.count > 1) lane.record = { ...lane.record, count: 1 };
        return depart(departure as never);
      }),
  },
  {
    name: 'sequence numbers start again',
    plant: ({ log }) => {
      if (log.isEmpty) log.book.next = 1;
    },
  },
  {
    name: 'accepted before it is durable',
    plant: (core) => {
      const commits = part(core, GroupCommit);
      replace(commits, 'commit', () => (operations: never) => commits.commitLater(operations));
    },
  },
  {
    name: 'accepted without waiting for the disk',
    plant: ({ acceptance }) =>
      replace(acceptance, 'append', (append) => (...given: never[]) => {
        const appended = append(...given) as { answer: Promise<unknown> };
        appended.answer.catch(() => undefined);
        return { ...appended, answer: Promise.resolve({}) };
      }),
  },
  {
    name: 'a write is refused, and logged all the same',
    plant: ({ acceptance }) =>
      replace(acceptance, 'accept', (accept) => (lane: Lane, write: Write, ...more: never[]) => {
        try {
          return accept(lane as never, write as never, ...more);
        } catch (error) {
          acceptance.again(lane, write, []);
          throw error;
        }
      }),
  },
  {
    name: 'reads do not see own pending writes',
    plant: (core) => replace(part(core, PendingWrites), 'viewOf', () => () => undefined),
  },
  {
    name: 'unknown is shown as absent',
    plant: (core) =>
      replace(part(core, Held), 'given', (given) => (held: object | undefined, ...more: never[]) => {
        return given((held ?? { known: ABSENT, at: 0 }) as never, ...more);
      }),
  },
  {
    name: 'conflicts are not counted',
    plant: ({ endings }) =>
      replace(endings, 'commitOver', () => (lane: Lane, entry: Entry, after: Known) => {
        return endings.commit(lane, entry, after);
      }),
  },
  {
    name: 'the scan of the log stops after its first part',
    plant: (core) => {
      const scanner = part(core, Scanner);
      let loads = 0;
      replace(scanner, 'load', (load) => () => {
        loads += 1;
        return loads > 1 ? Promise.resolve(0) : load();
      });
    },
  },
  {
    name: 'a lane goes on at once after a write of unknown outcome',
    plant: ({ writer, replay }) =>
      replace(writer, 'liftAfterFence', () => (lane: Lane) => {
        replay.lift(lane).catch(() => undefined);
      }),
  },
];

/** The part of a class, wherever it is kept. */
function part<T extends object>(core: Core, of: abstract new (...given: never[]) => T): T {
  const seen = new Set<object>();
  let ring: object[] = [core];
  for (let depth = 0; depth < 4; depth += 1) {
    const next: object[] = [];
    for (const holder of ring) {
      for (const value of Object.values(holder)) {
        if (typeof value !== 'object' || value === null || seen.has(value)) continue;
        if (value instanceof of) return value;
        seen.add(value);
        next.push(value);
      }
    }
    ring = next;
  }
  throw new Error(`the core has no ${of.name}`);
}

/** Replaces a method of one part; `make` is given the real one. */
function replace<T extends object>(
  of: T,
  method: string,
  make: (real: Method) => Method | ((...given: never[]) => unknown),
): void {
  const methods = of as unknown as Record<string, Method>;
  const real = methods[method];
  if (typeof real !== 'function') throw new Error(`there is no ${method} to plant a defect in`);
  methods[method] = make(real.bind(of)) as Method;
}
