/**
 * The parts of a form that filters a list.
 *
 * @module
 */

import { announce, button, h, messageOf, problem } from "./elements.js";
import { exactNumber } from "./formats.js";

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
    {
      id,
      onchange: () => choose(select.value),
      // A window can be narrower than the text.
      onpointerenter: () => select.setAttribute("title", select.selectedOptions[0]?.text ?? ""),
    },
    options.map(({ value, text }) => h("option", { value, selected: value === chosen }, text)),
  );
  return h("div", { class: "field" }, h("label", { for: id }, label), select);
}

/**
 * The choice of a ledger, where there are several.
 * @param {readonly { key: string, name: string }[]} ledgers
 * @param {string} chosen
 * @param {(key: string) => unknown} choose
 */
export function ledgerChoice(ledgers, chosen, choose) {
  if (ledgers.length < 2) return null;
  const options = ledgers.map((one) => ({ value: one.key, text: one.name }));
  return choice("ledger", "Ledger", options, chosen, choose);
}

/**
 * A field to search with.
 * @param {string} label
 * @param {string} text that was searched for
 * @returns {{ field: HTMLElement, input: HTMLInputElement }}
 */
export function searchField(label, text) {
  const input = h("input", {
    id: "search",
    type: "search",
    maxlength: "400",
    autocomplete: "off",
    spellcheck: "false",
  });
  input.value = text;
  const submit = h("button", { type: "submit", class: "primary" }, "Search");
  const together = h("div", { class: "together" }, input, submit);
  return { field: h("div", { class: "field grow" }, h("label", { for: "search" }, label), together), input };
}

/**
 * Return the name of a file: what it holds, of which configurations, and the day (UTC).
 * @param {string} stem
 * @param {readonly { config_name: string }[]} dags
 */
export function fileName(stem, dags) {
  const names = [...new Set(dags.map((dag) => dag.config_name.replace(/[^A-Za-z0-9_-]+/gu, "-")))].sort();
  return `${[stem, ...names].join("-").slice(0, 150)}-${new Date().toISOString().slice(0, 10)}.csv`;
}

/**
 * Say how many rows the file of a list will have.
 * @param {{ total: number, more?: boolean }} page `more`: whether counting stopped at the total
 * @param {boolean} [limited] whether the file stops there too
 */
export function exportLabel({ total, more = false }, limited = false) {
  const many = exactNumber(total);
  if (more) return limited ? `The oldest ${many} of these as CSV` : `All of these as CSV (more than ${many})`;
  return total === 1 ? "This one as CSV" : `All ${many} of these as CSV`;
}

/**
 * A button that saves the whole list as a file.
 * @param {() => Promise<void>} save
 * @param {string} label
 */
export function exportButton(save, label) {
  const start = button(label, async () => {
    try {
      await save();
      announce("The file is complete.");
    } catch (error) {
      start.after(problem(messageOf(error)));
    }
  });
  return start;
}
