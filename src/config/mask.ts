export const MASK = '********';

/** An address without what it holds of secrets. A user without a password is masked too: it is often a token. */
export function maskAddress(address: string): string {
  const url = new URL(address);
  if (url.username === '' && url.password === '' && url.search === '') return address;
  if (url.password !== '') url.password = MASK;
  else if (url.username !== '') url.username = MASK;
  for (const name of [...url.searchParams.keys()]) url.searchParams.set(name, MASK);
  return url.href;
}
