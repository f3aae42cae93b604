import { plain } from './figures.js';

/** A call, as people read it. */
export function callText({
  function_id,
  scope,
  key,
}: {
  function_id: string;
  scope: string;
  key: string;
}): string {
  return plain(`${function_id} ${JSON.stringify(scope)} ${JSON.stringify(key)}`);
}

/** JSON as it was received, to the digit. What would steer the terminal is escaped, which texts in JSON allow. */
export function jsonText(json: string): string {
  return json.replaceAll('\r', '').split('\n').map(plain).join('\n');
}
