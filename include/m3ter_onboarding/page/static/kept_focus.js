/**
 * The focus, kept while what has it is made anew: by a list that is read again, a run that goes on, a decision. A
 * person with a keyboard alone would begin at the top of the page otherwise.
 *
 * @module
 */

/** @typedef {{ key: string, place: number, row: Row | null }} Sought */
/** @typedef {{ table: string, place: number, text: string }} Row where it is, and what is pressed there */

const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";

/** What had the focus and is not there yet: a part of the screen that is still being read may bring it.
 * @type {Sought | null} */
let awaited = null;

/**
 * Remember what has the focus in a part of the screen.
 * @param {Element} part that is made anew
 * @returns {() => void} gives the focus to the same in what is there then
 */
export function keptFocus(part) {
  const focused = document.activeElement;
  const inside = focused && focused !== part && part.contains(focused);
  const sought = inside ? { ...soughtOf(part, focused), row: rowOf(focused) } : null;
  return () => {
    if (sought) restore(part, sought);
    else if (awaited && document.activeElement === stay()) focusSame(part, awaited);
  };
}

/** Begin at the top of a screen: nothing of the one before is waited for. */
export function beginAtTop() {
  awaited = null;
  stay().focus({ preventScroll: true });
}

/** Keep the focus in the page, where what had it may be gone. */
export function catchFocus() {
  if (document.activeElement === document.body) stay().focus({ preventScroll: true });
}

/** @returns {HTMLElement} what has the focus while there is nothing better */
function stay() {
  return document.getElementById("main") ?? document.body;
}

/**
 * @param {Element} part
 * @param {Sought} sought
 */
function restore(part, sought) {
  awaited = null;
  if (focusSame(part, sought) || focusInPlace(part, sought.row)) return;
  stay().focus({ preventScroll: true });
  awaited = sought;
}

/**
 * @param {Element} part
 * @param {Sought} sought
 */
function focusSame(part, { key, place }) {
  const same = alike(part, key);
  const found = same[place] ?? same.at(-1);
  if (!found) return false;
  awaited = null;
  found.focus({ preventScroll: true });
  return document.activeElement === found;
}

/**
 * Go to the row that has taken the place of one that is gone.
 * @param {Element} part
 * @param {Row | null} row
 */
function focusInPlace(part, row) {
  if (!row) return false;
  const rows = [...part.querySelectorAll("tbody tr")].filter((one) => tableOf(one) === row.table);
  const next = rows[row.place] ?? rows.at(-1);
  const candidates = /** @type {HTMLElement[]} */ ([...(next?.querySelectorAll(FOCUSABLE) ?? [])]);
  const found = candidates.find((one) => one.textContent === row.text) ?? candidates[0];
  found?.focus();
  return Boolean(found);
}

/**
 * @param {Element} part
 * @param {Element} focused
 */
function soughtOf(part, focused) {
  const key = keyOf(focused);
  return { key, place: /** @type {Element[]} */ (alike(part, key)).indexOf(focused) };
}

/**
 * @param {Element} part
 * @param {string} key
 */
function alike(part, key) {
  const all = /** @type {HTMLElement[]} */ ([...part.querySelectorAll(FOCUSABLE)]);
  return all.filter((one) => keyOf(one) === key);
}

/**
 * Return what an element is called: many rows have the same buttons, so the row's first link belongs to it.
 * @param {Element} element
 */
function keyOf(element) {
  const around = element.closest("tr, li, article")?.querySelector("a, h3")?.textContent;
  const { id, tagName, textContent } = element;
  const named = ["href", "aria-label"].map((name) => element.getAttribute(name));
  return [tagName, id, ...named, element.matches(".scroll") ? "" : textContent, around].join("\n");
}

/**
 * @param {Element} element
 * @returns {Row | null} null: it is in no table
 */
function rowOf(element) {
  const row = element.closest("tbody tr");
  if (!row) return null;
  const place = [...(row.parentElement?.children ?? [])].indexOf(row);
  return { table: tableOf(row), place, text: element.textContent ?? "" };
}

/** @param {Element} row */
function tableOf(row) {
  return row.closest("table")?.caption?.textContent ?? "";
}
