import { expect, it } from 'vitest';
import { ready } from '../../support/sdk.js';
import { configOwner, configReader } from '../programs/shared-config.js';
import { eventually, type Setting, useSite } from '../site.js';

/** One configuration, shared by two workers. */
export function sharedConfigExample(setting: Setting): void {
  const site = useSite(setting);

  it('reaches every worker: those who read it at their start, and those who follow it', async () => {
    const owner = site.connect('owner');
    configOwner(owner);
    await ready(owner);
    const change = (settings: object) => owner.trigger({ function_id: 'config::change', payload: settings });
    await change({ theme: 'dark', limits: { uploads: 5 } });

    const [first, second] = [site.connect('first'), site.connect('second')];
    const readers = [configReader(first, 'first'), configReader(second, 'second')];
    await ready(first, second);
    await Promise.all(readers.map((reader) => reader.load()));
    const bothHave = async (settings: object) => {
      for (const instance of ['first', 'second'])
        expect(await owner.trigger({ function_id: `config::current::${instance}`, payload: {} })).toEqual(
          settings,
        );
    };
    await bothHave({ theme: 'dark', limits: { uploads: 5 } });

    await change({ theme: 'light', locale: 'sv' });
    await eventually(() => bothHave({ theme: 'light', locale: 'sv', limits: { uploads: 5 } }));
  });
}
