export interface Pace {
  /** Windows of each side that count. */
  readonly rounds: number;
  readonly windowMs: number;
  /** Windows of each side that come first and do not count. */
  readonly warmUps: number;
  /** Writes of a large backlog. */
  readonly entries: number;
}

/** Takes turns, A B A B …, and gives the results of each side in the order of the rounds. */
export async function interleave<Side extends string, Result>(
  sides: Readonly<Record<Side, () => Promise<Result>>>,
  { rounds, warmUps }: Pick<Pace, 'rounds' | 'warmUps'>,
): Promise<Record<Side, Result[]>> {
  const names = Object.keys(sides) as Side[];
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Side, Result[]>;
  for (let round = -warmUps; round < rounds; round++) {
    for (const name of names) {
      const result = await sides[name]();
      if (round >= 0) results[name].push(result);
    }
  }
  return results;
}
