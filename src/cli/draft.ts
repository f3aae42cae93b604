import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A text that a person changes in an editor, in a file that only this user can read. */
export class Draft {
  private constructor(
    readonly path: string,
    private readonly before: Buffer,
  ) {}

  static async of(name: string, text: string): Promise<Draft> {
    const folder = await mkdtemp(join(tmpdir(), 'iii-state-gateway-')); // of mode 0700
    const draft = new Draft(join(folder, name), Buffer.from(text));
    await writeFile(draft.path, draft.before);
    return draft;
  }

  /** What the person made of it; undefined: nothing. */
  async edit(env: Readonly<Record<string, string | undefined>>): Promise<Buffer | undefined> {
    try {
      await runEditor(env, this.path);
    } catch (error) {
      await this.discard();
      throw error;
    }
    const after = await readFile(this.path);
    return after.equals(this.before) ? undefined : after;
  }

  async discard(): Promise<void> {
    await rm(dirname(this.path), { recursive: true, force: true });
  }
}

async function runEditor(env: Readonly<Record<string, string | undefined>>, path: string): Promise<void> {
  const editor = env['VISUAL'] || env['EDITOR'];
  if (!editor) {
    throw new Error(
      'No editor is named: set EDITOR, or give the new input with --file (- is standard input)',
    );
  }
  // The variable may hold options too, so a shell takes it apart; the path is an argument of its own.
  const child = spawn('sh', ['-c', `${editor} "$1"`, 'sh', path], { stdio: 'inherit' });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`The editor ended with ${code ?? 'a signal'}: nothing was sent`);
}
