import { type Document, isScalar, isSeq, type Node, type Scalar } from 'yaml';
import { pairOf } from './syntax.js';

/** What engines before 0.11 called the things that we read. */
const namesToday = new Map([
  ['modules::state::StateModule', 'iii-state'],
  ['modules::state::adapters::KvStore', 'kv'],
  ['modules::state::adapters::Bridge', 'bridge'],
  ['modules::state::adapters::RedisAdapter', 'redis'],
]);

/**
 * Rewrites the `class` entries of `modules` to today's `name`, in place: everything after this reads one form,
 * and every node keeps its position in the file.
 */
export function spellAsToday(document: Document): void {
  const modules = pairOf(document.contents, 'modules')?.value;
  if (!isSeq<Node>(modules)) return;
  for (const module of modules.items) {
    renameClass(module);
    renameClass(pairOf(pairOf(module, 'config')?.value, 'adapter')?.value);
  }
}

function renameClass(node: Node | null | undefined): void {
  const pair = pairOf(node, 'class');
  // With both, `class` stays and is refused as an unknown key: which of the two was meant is not ours to guess.
  if (!pair || pairOf(node, 'name')) return;
  if (isScalar(pair.key)) pair.key.value = 'name';
  if (isScalar(pair.value)) renameValue(pair.value);
}

function renameValue(scalar: Scalar): void {
  const today = namesToday.get(String(scalar.value));
  if (today !== undefined) scalar.value = today;
}
