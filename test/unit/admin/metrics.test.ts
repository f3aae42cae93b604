import { describe, expect, it } from 'vitest';
import { gatewayMetrics, replicationMetrics } from '../../../src/admin/metric-table.js';
import { Metrics } from '../../../src/admin/metrics.js';
import { stopsAfterEach } from '../../support/running.js';
import { startAdmin, statusFor } from './admin-site.js';
import { MemoryOperator } from './memory-operator.js';

interface Family {
  help: string;
  type: string;
  samples: Map<string, number>;
}

/** Reads the text format of Prometheus, strictly. */
function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  const family = (name: string): Family => {
    const known = families.get(name) ?? { help: '', type: '', samples: new Map() };
    families.set(name, known);
    return known;
  };
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    const sample = /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\]|\\.)*",?)*\})? (\S+)$/.exec(line);
    if (comment?.[1] === 'HELP') family(comment[2] as string).help = comment[3] as string;
    else if (comment) family(comment[2] as string).type = comment[3] as string;
    else if (sample) {
      const value = sample[3] === '+Inf' ? Number.POSITIVE_INFINITY : Number(sample[3]);
      const [name = '', labels = ''] = [sample[1], sample[2]];
      const owner = name.replace(/_(bucket|sum|count)$/, '');
      (families.get(name) ?? family(owner)).samples.set(labels, value);
    } else throw new Error(`no line of the format: ${line}`);
  }
  return families;
}

const PREFIX = 'iii_state_gateway_';
const names = (rows: readonly { name: string }[]) => rows.map(({ name }) => PREFIX + name);
const stopping = stopsAfterEach();

function loaded(): MemoryOperator {
  const operator = new MemoryOperator();
  operator.accept('a');
  operator.settle(operator.accept('b'), 'committed');
  operator.quarantine('c');
  operator.quarantine('d', 1, 'x', 'unknown');
  operator.breaker = 'half-open';
  operator.held = { keys: 2, writes: 5 };
  operator.retain = { verified: 8, lost: 3, restored: 2, changed: 1 };
  return operator;
}

describe('a scrape', () => {
  it('tells the figures of the status', async () => {
    const site = stopping(await startAdmin(loaded()));
    const { headers, text } = await site.ask('/metrics');
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    const families = parse(text);
    const of = (name: string, labels = '') => families.get(PREFIX + name)?.samples.get(labels);
    expect(
      families
        .get(`${PREFIX}build_info`)
        ?.samples.get(`{version="1.2.3",node="${process.version}",gateway_id="gw"}`),
    ).toBe(1);
    expect(of('workers')).toBe(3);
    expect(of('degraded')).toBe(1);
    expect(of('link_up')).toBe(1);
    expect(of('link_epochs_total')).toBe(3);
    expect(of('breaker_state', '{state="half-open"}')).toBe(1);
    expect(of('breaker_state', '{state="closed"}')).toBe(0);
    expect(of('breaker_opened_total')).toBe(2);
    expect(of('log_entries')).toBe(1);
    expect(of('log_bytes')).toBe(2048);
    expect(of('log_oldest_age_seconds')).toBe(1.5);
    expect(of('log_accepting')).toBe(1);
    expect(of('writes', '{state="pending"}')).toBe(1);
    expect(of('writes', '{state="committed"}')).toBe(1);
    expect(of('writes', '{state="quarantined"}')).toBe(2);
    expect(of('writes', '{state="accepted"}')).toBeUndefined();
    expect(of('writes_accepted_total')).toBe(4);
    expect(of('writes_balance')).toBe(0);
    expect(of('conflicts_won_total')).toBe(4);
    expect(of('quarantine', '{reason="refused"}')).toBe(1);
    expect(of('quarantine', '{reason="parked"}')).toBe(0);
    expect(of('held_keys')).toBe(2);
    expect(of('replay_in_flight')).toBe(5);
    expect(of('replayed_total')).toBe(6);
    expect(of('settling')).toBe(7);
    expect(of('mirror_bytes')).toBe(1024);
    expect(of('mirror_hits_total')).toBe(9);
    expect(of('mirror_misses_total')).toBe(1);
    expect(of('retained_total', '{result="lost"}')).toBe(3);
  });

  it('has the whole table, each with a help text and its type', async () => {
    const families = parse(await new Metrics(() => statusFor(loaded())).text());
    for (const { name, kind, help } of [...gatewayMetrics, ...replicationMetrics])
      expect(families.get(PREFIX + name), name).toMatchObject({ type: kind, help });
    const ours = [...families.keys()].filter((name) => name.startsWith(PREFIX));
    expect(ours.sort()).toEqual([...names(gatewayMetrics), ...names(replicationMetrics)].sort());
  });

  it('follows the status, counters too', async () => {
    const operator = loaded();
    const metrics = new Metrics(() => statusFor(operator));
    await metrics.text();
    operator.accept('e');
    operator.link = 'waiting';
    const families = parse(await metrics.text());
    expect(families.get(`${PREFIX}writes_accepted_total`)?.samples.get('')).toBe(5);
    expect(families.get(`${PREFIX}link_up`)?.samples.get('')).toBe(0);
  });

  it('shows when the accounts do not balance', async () => {
    const status = statusFor(loaded());
    const writes = { ...loaded().status().writes, accepted: 7 };
    const families = parse(await new Metrics(() => ({ ...status, writes })).text());
    expect(families.get(`${PREFIX}writes_balance`)?.samples.get('')).toBe(3);
  });

  it('has figures of the process, and never one that is none, however often it is made', async () => {
    const metrics = new Metrics(() => statusFor(undefined));
    for (let time = 0; time < 3; time += 1) {
      const families = parse(await metrics.text());
      expect(families.get('process_resident_memory_bytes')?.samples.get('')).toBeGreaterThan(1e6);
      expect(families.has('nodejs_eventloop_lag_p99_seconds')).toBe(true);
      const values = [...families.values()].flatMap(({ samples }) => [...samples.values()]);
      expect(values.filter(Number.isNaN)).toEqual([]);
      const lag = families.get('nodejs_eventloop_lag_min_seconds')?.samples.get('') ?? 0;
      expect(lag).toBeLessThan(60);
    }
  });

  it('says nothing of replication where there is none', async () => {
    const families = parse(await new Metrics(() => statusFor(undefined)).text());
    const ours = [...families.keys()].filter((name) => name.startsWith(PREFIX));
    expect(ours.sort()).toEqual(names(gatewayMetrics).sort());
  });
});
