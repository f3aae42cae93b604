export const UUID_LENGTH = 36;
const UUID = /^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$/;

/** Engines lose a frame whose invocation id has another shape (wire protocol section 2). */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}
