/** What the handler of a `state` trigger is called with. */
export interface StateEvent<Value> {
  type: 'state';
  event_type: 'state:created' | 'state:updated' | 'state:deleted';
  scope: string;
  key: string;
  old_value: Value | null;
  new_value: Value | null;
}
