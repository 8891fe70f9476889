/**
 * The place in a list, kept in the hash of the address: filters, order and page, so that Back, Forward and a reload
 * restore them. A search may name a person: its text is kept in this tab alone, and the address holds a number for it.
 *
 * @module
 */

import { showInAirflowAddress } from "./airflow_window.js";

const SEARCHES = "m3ter:searches";
const SEARCHES_KEPT = 50;

/** @typedef {{ after: string, before: string, from: number }} Turn a page; `from`: how many rows come before it */

/** @type {Turn} */
export const FIRST_PAGE = { after: "", before: "", from: 0 };

/** @type {[string, string][]} beginnings of addresses from which a person is reached, and their names */
const WAYS = [
  ["#/invitations", "Invitations"],
  ["#/review", "Review"],
  ["#/day-one", "Day one"],
  ["#/run/", "A run"],
];
/** The address from which the screen of a person was opened last. */
let before = "";

window.addEventListener("hashchange", ({ oldURL }) => {
  const { hash } = new URL(oldURL);
  if (!/^#\/(?:person|row)\//.test(hash)) before = hash;
});

/** @returns {{ href: string, name: string } | null} where a person was opened; null: unknown */
export function wayHere() {
  const name = WAYS.find(([begins]) => before.startsWith(begins))?.[1];
  return name ? { href: before, name } : null;
}

/** Return what stands behind the question mark of the hash. */
export function placeOf() {
  return new URLSearchParams(location.hash.split("?")[1] ?? "");
}

/**
 * @param {URLSearchParams} place
 * @returns {Turn}
 */
export function turnOf(place) {
  const from = Number(place.get("from"));
  const known = Number.isSafeInteger(from) && from > 0 ? from : 0;
  return { after: place.get("after") ?? "", before: place.get("before") ?? "", from: known };
}

/**
 * Return a hash; empty values are left out.
 * @param {string} screen
 * @param {Record<string, string | number | null>} values
 */
export function hashOf(screen, values) {
  const place = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value) place.set(name, String(value));
  const text = place.toString();
  return text ? `${screen}?${text}` : screen;
}

/**
 * Let the address say what is shown. No screen is made anew.
 * @param {string} hash
 * @param {{ again?: boolean }} [options] whether it is the same place, written as it should be
 */
export function keepPlace(hash, { again = false } = {}) {
  if (hash === location.hash) return;
  if (again) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
  showInAirflowAddress(hash);
}

/** @returns {[string, string][]} numbers and texts, the oldest first */
function keptSearches() {
  try {
    return JSON.parse(sessionStorage.getItem(SEARCHES) ?? "[]");
  } catch {
    return [];
  }
}

/**
 * Keep a text that was searched for.
 * @param {string} text
 * @returns {string} the number that stands for it in the address; empty: nothing was searched for
 */
export function keepSearch(text) {
  if (!text.trim()) return "";
  const kept = keptSearches();
  const known = kept.find(([, one]) => one === text);
  if (known) return known[0];
  const number = String(1 + Math.max(0, ...kept.map(([one]) => Number(one))));
  try {
    sessionStorage.setItem(SEARCHES, JSON.stringify([...kept, [number, text]].slice(-SEARCHES_KEPT)));
  } catch {
    // Without a store the search is lost at the next reload, and nothing else.
  }
  return number;
}

/**
 * Return the text that a number of the address stands for; empty: another tab searched for it.
 * @param {URLSearchParams} place
 */
export function searchOf(place) {
  const number = place.get("search");
  return keptSearches().find(([one]) => one === number)?.[1] ?? "";
}
