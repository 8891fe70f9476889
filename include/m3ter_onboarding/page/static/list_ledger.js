/**
 * Which ledger a list shows: the one of the address, else the last one that was shown by a link or a choice.
 *
 * @module
 */

import { dagsOf } from "./readable_dags.js";
import { RequestError } from "./requests.js";

/** @typedef {import("../api_types").ReadableLedger} Ledger */

const CHOSEN = "m3ter:ledger";
const UNKNOWN = "The ledger that this address names is not known here, or not yet; or it cannot be read now.";

/**
 * Return the ledger that a list begins with, and keep it for the screens that are opened without one.
 * @param {readonly [Ledger, ...Ledger[]]} ledgers
 * @param {string | null | undefined} named by the address
 * @param {(ledger: Ledger) => boolean} shows whether a ledger has something to show here
 * @throws {RequestError} when the address names one that is not known
 */
export function ledgerToShow(ledgers, named, shows) {
  const known = ledgers.find((one) => one.key === named);
  if (known) keep(known.key);
  // Another one in its place would contradict the address.
  if (named && !known) throw new RequestError(404, UNKNOWN);
  const kept = known ? null : chosen();
  return known ?? ledgers.find((one) => one.key === kept) ?? ledgers.find(shows) ?? ledgers[0];
}

/** @returns {string | null} the key of the ledger that was chosen last in this tab; null: none */
function chosen() {
  try {
    return sessionStorage.getItem(CHOSEN);
  } catch {
    return null;
  }
}

/** @param {string} key */
function keep(key) {
  try {
    sessionStorage.setItem(CHOSEN, key);
  } catch {
    // Without a store each screen begins with its own first ledger, and nothing else is lost.
  }
}

/**
 * Return the names of the DAGs that belong to the configurations of a ledger.
 * @param {string} ledger
 * @param {string} prefix of such a DAG
 */
export function dagsBeside(ledger, prefix) {
  const names = new Set(dagsOf(ledger).map((dag) => dag.config_name));
  return [...names].map((name) => `\`${prefix}${name}\``).join(", ");
}
