import type { ChildProcess } from 'node:child_process';

interface Request {
  readonly id: number;
  readonly command: string;
  readonly input: unknown;
}

interface Reply {
  readonly id: number;
  readonly output?: unknown;
  readonly error?: string;
}

/** Functions of another process, each with at most one argument that survives JSON. */
export type Commands<C> = { readonly [Name in keyof C]: (input: never) => Promise<unknown> };

/** In the child: answers the parent's commands, and ends with the parent. */
export function serveCommands<C extends Commands<C>>(commands: C): void {
  const byName = new Map(Object.entries<(input: never) => Promise<unknown>>(commands));
  process.on('message', ({ id, command, input }: Request) => {
    const run = async () => {
      const known = byName.get(command);
      if (!known) throw new Error(`unknown command ${command}`);
      return known(input as never);
    };
    run().then(
      (output) => process.send?.({ id, output } satisfies Reply),
      (error: unknown) => process.send?.({ id, error: String(error) } satisfies Reply),
    );
  });
  process.on('disconnect', () => process.exit());
}

/** In the parent: the child's commands as an object of plain async functions. */
export function commandsOf<C extends Commands<C>>(child: ChildProcess, childName: string): C {
  const waiting = new Map<number, { resolve(output: unknown): void; reject(error: Error): void }>();
  let lastId = 0;
  child.on('message', ({ id, output, error }: Reply) => {
    const caller = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) caller?.resolve(output);
    else caller?.reject(new Error(`${childName}: ${error}`));
  });
  child.on('exit', () => {
    for (const caller of waiting.values()) caller.reject(new Error(`the ${childName} process ended`));
    waiting.clear();
  });
  const ask = (command: string, input: unknown) =>
    new Promise<unknown>((resolve, reject) => {
      const id = ++lastId;
      waiting.set(id, { resolve, reject });
      child.send({ id, command, input } satisfies Request, (failure) => {
        if (failure && waiting.delete(id)) reject(new Error(`the ${childName} process ended`));
      });
    });
  return new Proxy({} as C, {
    get: (_, name) => (typeof name === 'string' && name !== 'then' ? ask.bind(null, name) : undefined),
  });
}
