/**
 * Turning the pages of a list, and its order.
 *
 * @module
 */

import { announce, button, fill, h, messageOf, problem } from "./elements.js";
import { exactNumber } from "./formats.js";
import { FIRST_PAGE } from "./list_place.js";

/** @typedef {import("./list_place.js").Turn} Turn */
/**
 * @typedef {object} ListedPage
 * @property {readonly unknown[]} rows
 * @property {string | number | null} after the place of the next page; null: there is none
 * @property {string | number | null} before the place of the previous page; null: there is none
 * @property {number} total
 * @property {boolean} more whether the list has more than *total*
 */

/**
 * Return which rows are shown, of how many: `51–100 of 1,000+`.
 * @param {ListedPage} page
 * @param {number} from how many rows come before
 */
export function rangeText({ rows, after, total, more }, from) {
  if (!rows.length) return "None";
  const last = from + rows.length;
  const range = rows.length === 1 ? exactNumber(last) : `${exactNumber(from + 1)}–${exactNumber(last)}`;
  if (after === null) return `${range} of ${exactNumber(Math.max(last, more ? 0 : total))}`;
  return `${range} of ${exactNumber(Math.max(total, last))}${more ? "+" : ""}`;
}

/**
 * Show a page of a list below a line that says which rows these are; the answer to an older request is not shown.
 * @template {ListedPage} Page
 * @param {HTMLElement} results
 * @param {object} list
 * @param {Turn} list.turn which page
 * @param {number} [list.size] how many rows a whole page has
 * @param {() => Promise<Page>} list.read
 * @param {(page: Page) => import("./elements.js").Child} list.show
 * @param {(turn: Turn) => unknown} list.go turns to another page
 * @param {(page: Page) => import("./elements.js").Child} [list.beside] buttons above the list
 * @param {(page: Page) => boolean} [list.unknown] whether nobody has made this list so far
 * @param {boolean} [list.turned] whether a person turned the page: the head of the list then has the focus
 */
export async function showPage(results, { turn, size = 50, read, show, go, beside, unknown, turned = false }) {
  const mine = String(Number(results.dataset.request ?? 0) + 1);
  results.dataset.request = mine;
  results.setAttribute("aria-busy", "true");
  try {
    const page = await read();
    if (results.dataset.request !== mine) return;
    const from = rowsBefore(page, turn);
    const range = unknown?.(page) ? "Unknown" : rangeText(page, from);
    const head = h("p", { class: "range", tabindex: "-1" }, range);
    const above = h("div", { class: "actions head" }, head, beside?.(page));
    fill(results, above, show(page), h("div", { class: "actions" }, pageButtons(page, from, size, go)));
    announce(`${range}.`);
    if (turned) {
      head.focus({ preventScroll: true });
      head.scrollIntoView({ block: "nearest" });
    }
  } catch (error) {
    if (results.dataset.request !== mine) return;
    const again = (turn.after || turn.before) && button("First page", () => go(FIRST_PAGE));
    fill(results, problem(messageOf(error)), again);
  } finally {
    if (results.dataset.request === mine) results.removeAttribute("aria-busy");
  }
}

/**
 * Return how many rows come before a page. The address may say otherwise, since the list has changed.
 * @param {ListedPage} page
 * @param {Turn} turn
 */
function rowsBefore({ rows, after, before, total, more }, { from }) {
  if (before === null) return 0;
  return after === null && !more ? total - rows.length : from;
}

/**
 * @param {ListedPage} page
 * @param {number} from
 * @param {number} size of a whole page
 * @param {(turn: Turn) => unknown} go
 */
function pageButtons({ rows, after, before }, from, size, go) {
  // Of fewer rows than there were when the address was kept, the first page may already be the previous one.
  const previous = { after: "", before: String(before), from: Math.max(from - size, 0) };
  const next = { after: String(after), before: "", from: from + rows.length };
  return [
    before !== null && button("Previous page", () => go(previous)),
    after !== null && button("Next page", () => go(next)),
  ];
}

/**
 * Let heads of a table sort it.
 * @param {HTMLElement} list
 * @param {Record<string, { sorted: "ascending" | "descending" | null, choose: () => unknown }>} heads by their text
 */
export function sortable(list, heads) {
  for (const head of list.querySelectorAll("thead th")) {
    const order = heads[head.textContent ?? ""];
    if (!order) continue;
    if (order.sorted) head.setAttribute("aria-sort", order.sorted);
    const mark = { ascending: " ▲", descending: " ▼" }[order.sorted ?? "ascending"];
    const sign = h("span", { "aria-hidden": "true", class: order.sorted ? "" : "faint" }, order.sorted ? mark : " ↕");
    const text = head.textContent ?? "";
    const sort = button(text, order.choose, { class: "sort" });
    sort.append(sign);
    // On a narrow screen heads are hidden, and nothing that is hidden can be pressed.
    head.replaceChildren(sort, h("span", { class: "narrow" }, text));
  }
  return list;
}
