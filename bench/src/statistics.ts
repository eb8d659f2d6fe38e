/** The middle value; of an even number of values, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The quantile `q` (0 to 1) of the values, interpolated between neighbors. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)];
  const above = sorted[Math.ceil(at)];
  if (below === undefined || above === undefined) throw new RangeError('a quantile needs at least one value');
  return below + (above - below) * (at - Math.floor(at));
}

/** Each value of one series divided by its partner in the other: a disturbance affects both values of a pair. */
export function pairRatios(values: readonly number[], partners: readonly number[]): number[] {
  if (values.length !== partners.length) throw new RangeError('pairs need two series of the same length');
  return values.map((value, index) => value / (partners[index] ?? Number.NaN));
}
