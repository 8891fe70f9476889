/**
 * The parts of a form that filters a list.
 *
 * @module
 */

import { h } from "./elements.js";

/**
 * @param {string} id
 * @param {string} label
 * @param {{ value: string, text: string }[]} options
 * @param {string} chosen
 * @param {(value: string) => unknown} choose
 */
export function choice(id, label, options, chosen, choose) {
  /** @type {HTMLSelectElement} */
  const select = h(
    "select",
    { id, onchange: () => choose(select.value) },
    options.map(({ value, text }) => h("option", { value, selected: value === chosen }, text)),
  );
  return h("div", { class: "field" }, h("label", { for: id }, label), select);
}
