/** Which of the views computed ahead fits the filters chosen. */
import type { CardData } from '../../generated/card-data.d.ts';

export type Choice = Record<string, string | number | null>;

/** The view whose values are the chosen ones; undefined where that combination was not computed. */
export function variantFor({ variants }: CardData, choice: Choice): CardData['variants'][number] | undefined {
  return variants.find(({ values }) =>
    Object.entries(values).every(([key, value]) => (choice[key] ?? null) === value),
  );
}
