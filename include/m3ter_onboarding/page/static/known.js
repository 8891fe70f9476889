// What every screen needs: the DAGs and ledgers that this user may read.

import { get } from "./airflow.js";
import { learn } from "./words.js";

let told = null;
let asked = null;

export async function known({ anew = false } = {}) {
  if (anew || !told) {
    asked = asked ?? get("overview");
    try {
      told = await asked;
    } finally {
      asked = null;
    }
    learn(told.words);
  }
  return told;
}

export function dagOf(dagId) {
  return told?.dags.find((dag) => dag.dag_id === dagId) ?? null;
}

// The DAG that would act for a person whom no DAG invited: the only one of this ledger, if there is one only.
export function dagFor(ledger, dagId) {
  if (dagId) return dagOf(dagId);
  const dags = (told?.dags ?? []).filter((dag) => dag.ledger === ledger);
  return dags.length === 1 ? dags[0] : null;
}
