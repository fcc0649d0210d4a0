/** Where the cards of a dashboard stand. */
import type { Item } from '../../generated/dashboards.d.ts';

type Place = Pick<Item, 'row' | 'w' | 'h'>;

/** Items with the width they are drawn with: what has nothing beside it takes the whole row. */
export function widened<One extends Place>(items: readonly One[]): One[] {
  const meets = (one: Place, other: Place) => other.row < one.row + one.h && one.row < other.row + other.h;
  return items.map((item) =>
    items.some((other) => other !== item && meets(item, other)) ? item : { ...item, w: 24 },
  );
}
