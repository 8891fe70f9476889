/**
 * Tables as wide as there is room: where the columns of one do not fit, each of its rows is a card.
 *
 * @module
 */

/** In pixels: with less room than this, rows are cards whatever their columns need. */
const NARROW = 600;

/**
 * Keep a table's rows as columns or as cards, whatever room there is.
 * @param {HTMLElement} box around the table
 * @param {HTMLElement} ruler within the box, as wide as the room in it; unlike the box it is never higher
 */
export function fitColumns(box, ruler) {
  let needed = NARROW;
  new ResizeObserver(() => {
    const room = box.clientWidth;
    const stacked = () => box.classList.toggle("stacked", room < needed);
    if (stacked() || box.scrollWidth <= room) return;
    needed = box.scrollWidth;
    stacked();
  }).observe(ruler);
}
