/**
 * HTML elements, always made from text: nothing that people wrote is ever read as HTML.
 *
 * @module
 */

import { fitColumns } from "./fitted_columns.js";
import { keptFocus } from "./kept_focus.js";

/** @typedef {{ handle(event: Event): unknown }["handle"]} Listener written as a method: it may take a narrower event */
/** @typedef {{ [name: string]: string | number | boolean | null | undefined | Listener }} Properties */
/** @typedef {Node | string | number | boolean | null | undefined | readonly Child[]} Child */

const SVG = "http://www.w3.org/2000/svg";
// Marks that turn the direction of the text after them, and characters that cannot be seen.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;

/**
 * Return a text with its hidden characters spelled out.
 * @param {unknown} text
 * @returns {string}
 */
function visible(text) {
  return String(text).replace(HIDDEN, (one) => {
    const code = one.codePointAt(0) ?? 0;
    return `[U+${code.toString(16).toUpperCase().padStart(4, "0")}]`;
  });
}

/**
 * @param {Element} element
 * @param {Properties} properties attributes, and listeners as `onclick`; null, undefined and false are left out
 */
function setProperties(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * Append children; null, undefined and booleans are left out.
 * @param {Element} element
 * @param {readonly Child[]} children
 */
function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || typeof child === "boolean") continue;
    if (child instanceof Node) element.append(child);
    else if (typeof child === "object") append(element, child);
    else element.append(document.createTextNode(visible(child)));
  }
}

/**
 * Replace all children of an element; the focus stays with what had it.
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  const restore = keptFocus(element);
  element.replaceChildren();
  append(element, children);
  restore();
}

/**
 * Make an HTML element.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} properties
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  setProperties(element, properties);
  append(element, children);
  return element;
}

/**
 * Make an element of a drawing.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} properties
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg(tag, properties, ...children) {
  const element = document.createElementNS(SVG, tag);
  setProperties(element, properties);
  append(element, children);
  return element;
}

/**
 * Return an element of index.html.
 * @param {string} id
 * @returns {HTMLElement}
 * @throws {Error} when there is none
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no element ${id}.`);
  return element;
}

/**
 * Quote a text that a person or the warehouse wrote: its direction stays its own.
 * @param {string | null | undefined} text
 */
export function quoted(text) {
  return text ? h("bdi", {}, text) : h("span", { class: "faint" }, "–");
}

/**
 * Return a text of this product, in which names stand between backticks.
 * @param {string | null | undefined} text
 * @returns {Child[]}
 */
export function prose(text) {
  return (text ?? "").split("`").map((part, position) => (position % 2 ? h("code", {}, part) : part));
}

/**
 * Announce a text to screen readers.
 * @param {string} text
 */
export function announce(text) {
  byId("live").textContent = visible(text);
}

/**
 * Make a table. Where its columns do not fit each row is a card and each cell shows its heading; the roles keep it a
 * table for screen readers.
 * @param {string} caption
 * @param {readonly string[]} heads
 * @param {readonly (HTMLTableRowElement | readonly Child[])[]} rows each a row, or its cells
 * @param {{ empty?: string, unseen?: boolean }} [options] the text in place of no rows; whether the caption is hidden
 */
export function table(caption, heads, rows, { empty = "Nothing here.", unseen = false } = {}) {
  if (!rows.length) return h("p", { class: "empty" }, empty);
  const ruler = h("div", {});
  const box = h(
    "div",
    { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" },
    ruler,
    h(
      "table",
      { role: "table" },
      h("caption", { class: unseen ? "unseen" : null }, caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map(tableHead))),
      h(
        "tbody",
        { role: "rowgroup" },
        rows.map((row) => tableRow(heads, row)),
      ),
    ),
  );
  fitColumns(box, ruler);
  return box;
}

/** @param {string} text */
function tableHead(text) {
  return h("th", { scope: "col", role: "columnheader" }, text || h("span", { class: "unseen" }, "Kind"));
}

/**
 * @param {readonly string[]} heads
 * @param {HTMLTableRowElement | readonly Child[]} row
 */
function tableRow(heads, row) {
  const line = row instanceof HTMLTableRowElement ? row : makeRow(row);
  line.setAttribute("role", "row");
  [...line.cells].forEach((cell, position) => {
    cell.setAttribute("role", "cell");
    cell.dataset.label = heads[position];
  });
  return line;
}

/** @param {readonly Child[]} cells */
function makeRow(cells) {
  return h(
    "tr",
    {},
    cells.map((cell) => h("td", {}, cell)),
  );
}

/**
 * Make a section with a heading.
 * @param {string} id
 * @param {string} heading
 * @param {...Child} children
 */
export function section(id, heading, ...children) {
  return h("section", { "aria-labelledby": id }, h("h2", { id }, heading), children);
}

/**
 * Make one line of a description list.
 * @param {string} name
 * @param {Child} value
 */
export function fact(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

/**
 * @param {string} kind a class of page.css
 * @param {string} text
 */
export function badge(kind, text) {
  return h("span", { class: `badge ${kind}` }, text);
}

/** @param {Child} text */
export function problem(text) {
  return h("div", { class: "problem", role: "alert" }, text);
}

/**
 * Make a button. While its action goes on another press does nothing; it is not disabled, which would take the focus.
 * @param {string} text
 * @param {() => unknown} action that returns (or resolves to) `once` where another press is to do nothing afterwards
 * @param {Properties} [properties]
 */
export function button(text, action, properties = {}) {
  const made = h("button", { type: "button", ...properties }, text);
  made.addEventListener("click", async () => {
    if (made.hasAttribute("aria-disabled")) return;
    made.setAttribute("aria-disabled", "true");
    let once = false;
    try {
      once = (await action()) === "once";
    } finally {
      if (!once) made.removeAttribute("aria-disabled");
    }
  });
  return made;
}

/**
 * Fill an element with what is read, or with the error; it is busy meanwhile.
 * @param {HTMLElement} element
 * @param {() => Promise<Child>} read
 */
export async function loadInto(element, read) {
  element.setAttribute("aria-busy", "true");
  try {
    fill(element, await read());
  } catch (error) {
    fill(element, problem(messageOf(error)));
  } finally {
    element.removeAttribute("aria-busy");
  }
}

const RELOAD = "m3ter:reload";

/** Show the current screen anew; focus and place stay. */
export function reload() {
  window.dispatchEvent(new Event(RELOAD));
}

/** @param {() => unknown} action */
export function onReload(action) {
  window.addEventListener(RELOAD, action);
}

/**
 * Return the text of an error for the person at the page.
 * @param {unknown} error
 * @returns {string}
 */
export function messageOf(error) {
  // An error of this script, whose message helps nobody at the page.
  if (error instanceof TypeError || error instanceof ReferenceError) {
    console.error(error);
    return "This part cannot be shown. Reload the page.";
  }
  return error instanceof Error ? error.message : String(error);
}
