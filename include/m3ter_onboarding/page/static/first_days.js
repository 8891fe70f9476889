/**
 * The first days that a list shows: from one day to another, or a choice that fills both in.
 *
 * @module
 */

import { inTheNext } from "./coming_days.js";
import { h } from "./elements.js";
import { choice } from "./filters.js";

const DAY = 86_400_000;

/**
 * Days of ISO 8601; empty: any.
 * @typedef {{ from: string, until: string }} Days
 */

/**
 * @param {URLSearchParams} place
 * @returns {Days}
 */
export function daysOf(place) {
  return { from: dayOf(place.get("starts_from")), until: dayOf(place.get("starts_until")) };
}

/** @param {string | null} text */
function dayOf(text) {
  return text && /^[12]\d{3}-\d\d-\d\d$/u.test(text) && !Number.isNaN(Date.parse(text)) ? text : "";
}

/**
 * The days of each choice. Weeks begin on Monday.
 * @param {string} today
 * @param {number} within the days that the list has behind today
 * @returns {{ text: string, days: Days }[]}
 */
function choices(today, within) {
  const now = Date.parse(today);
  const plus = (/** @type {number} */ days) => new Date(now + days * DAY).toISOString().slice(0, 10);
  const monday = -((new Date(now).getUTCDay() + 6) % 7);
  const soon = inTheNext(within);
  return [
    { text: "Any", days: { from: "", until: "" } },
    { text: "This week", days: { from: plus(monday), until: plus(monday + 6) } },
    { text: "Next week", days: { from: plus(monday + 7), until: plus(monday + 13) } },
    { text: `${soon[0]?.toUpperCase()}${soon.slice(1)}`, days: { from: plus(0), until: plus(within) } },
  ];
}

/**
 * Return the fields of a form.
 * @param {{ today: string, within_days: number }} list
 * @param {Days} days that are chosen
 * @param {(days: Days) => unknown} choose
 */
export function daysField({ today, within_days }, days, choose) {
  const offered = choices(today, within_days);
  /** @param {Days} written */
  const nameOf = ({ from, until }) =>
    offered.find((one) => one.days.from === from && one.days.until === until)?.text ?? "";
  const inputs = { from: dateInput("starts-from", days.from), until: dateInput("starts-until", days.until) };
  const options = [
    ...offered.map(({ text }) => ({ value: text, text })),
    { value: "", text: "From one day to another" },
  ];
  const named = choice("first-day", "First day", options, nameOf(days), (name) => {
    const found = offered.find(({ text }) => text === name);
    if (!found) return inputs.from.focus();
    inputs.from.value = found.days.from;
    inputs.until.value = found.days.until;
    return choose(found.days);
  });
  const write = () => {
    // While a day is being typed, a part of it is missing, or its year is of the first centuries.
    const written = Object.values(inputs);
    if (written.some(({ value, validity }) => validity.badInput || (value && !dayOf(value)))) return null;
    const chosen = { from: dayOf(inputs.from.value), until: dayOf(inputs.until.value) };
    const select = named.querySelector("select");
    if (select) select.value = nameOf(chosen);
    return choose(chosen);
  };
  for (const input of Object.values(inputs)) input.addEventListener("change", write);
  return [named, labelled("From", inputs.from), labelled("To", inputs.until)];
}

/**
 * @param {string} id
 * @param {string} value
 */
function dateInput(id, value) {
  const input = h("input", { id, type: "date" });
  input.value = value;
  return input;
}

/**
 * @param {string} text
 * @param {HTMLInputElement} input
 */
function labelled(text, input) {
  return h("div", { class: "field" }, h("label", { for: input.id }, text), input);
}
