import { Document, visit } from 'yaml';
import type { Config, StateConfig } from './config.js';
import { MASK, maskAddress } from './mask.js';
import { refusedYet } from './not-yet.js';
import { withoutKeys } from './paths.js';
import { toSnake } from './spelling.js';

/** The effective configuration in the form of the engine's own file; secrets are masked. */
export function printConfig({ listener, state, ...gateway }: Config): string {
  const workers = [
    { name: 'iii-worker-manager', config: toSnake(listener) },
    ...(state.adapter === 'none' ? [] : [{ name: 'iii-state', config: stateBlockOf(state) }]),
    { name: 'iii-state-gateway', config: gatewayBlockOf(gateway) },
  ];
  return toYaml({ workers });
}

/**
 * YAML without a `${`, which would be replaced as a variable when this is loaded, and without block scalars, which
 * `yaml` 2.9.1 does not read back when they hold white space alone.
 */
function toYaml(value: object): string {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_, scalar) {
      if (/\$\{|\n/.test(String(scalar.value))) scalar.type = 'QUOTE_DOUBLE';
    },
  });
  return document.toString({ lineWidth: 0 }).replaceAll('${', '\\x24{');
}

function stateBlockOf(state: Exclude<StateConfig, { adapter: 'none' }>) {
  return {
    adapter: adapterOf(state),
    triggers_enabled: state.triggersEnabled,
    max_value_bytes: state.maxValueBytes,
  };
}

function adapterOf(state: Exclude<StateConfig, { adapter: 'none' }>) {
  switch (state.adapter) {
    case 'kv': {
      const { storeMethod, filePath, saveIntervalMs } = state;
      return { name: 'kv', config: toSnake({ storeMethod, filePath, saveIntervalMs }) };
    }
    case 'bridge':
      return { name: 'bridge', config: { bridge_url: maskAddress(state.remoteUrl) } };
    case 'custom':
      return { name: state.module, config: withoutSecrets(state.config) };
  }
}

/** What has no code yet is left out: what is printed can be loaded. */
function gatewayBlockOf(gateway: Omit<Config, 'listener' | 'state'>): unknown {
  const { headers, tls, ...remote } = gateway.remote;
  const masked = {
    ...gateway,
    remote: {
      ...remote,
      headers: Object.fromEntries(Object.keys(headers).map((name) => [name, MASK])),
      tls: { ...tls, key: tls.key === undefined ? undefined : MASK },
    },
  };
  return withoutKeys([...refusedYet.keys()], toSnake(masked), 'iii-state-gateway');
}

/** A custom adapter's options: we cannot know which are secret, so their names decide. */
function withoutSecrets(value: unknown): unknown {
  if (typeof value === 'string') return URL.canParse(value) ? maskAddress(value) : value;
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== 'object' || value === null) return value;
  const isSecret = (name: string) => /passw|secret|token|key|credential|auth/i.test(name);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, isSecret(name) ? MASK : withoutSecrets(inner)]),
  );
}
