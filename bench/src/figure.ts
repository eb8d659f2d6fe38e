/** The target of a figure. */
export type Wanted =
  | { readonly below: number }
  | { readonly atMost: number }
  | { readonly atLeast: number }
  | { readonly exactly: number };

/** One measured figure. */
export interface Figure {
  readonly figure: string;
  readonly measured: number;
  readonly unit: string;
  /** The range of the middle half of its rounds, if it is their median. */
  readonly middleHalf?: readonly [low: number, high: number];
  /** A description of what the figure was measured against. */
  readonly beside: string;
  readonly wanted: Wanted;
}

export function isMet({ measured, wanted }: Figure): boolean {
  if ('below' in wanted) return measured < wanted.below;
  if ('atMost' in wanted) return measured <= wanted.atMost;
  if ('atLeast' in wanted) return measured >= wanted.atLeast;
  return measured === wanted.exactly;
}

export function formatNumber(value: number): string {
  const digits = Math.abs(value) < 100 && !Number.isInteger(value) ? 2 : 0;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
