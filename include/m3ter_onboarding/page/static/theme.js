// Light or dark as Airflow itself is; before anything is painted. Not a module: those run later.
(() => {
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function airflow() {
    try {
      return window.parent !== window ? window.parent.document.documentElement : null;
    } catch {
      return null;
    }
  }

  function chosen() {
    const outside = airflow();
    if (outside?.classList.contains("dark")) return "dark";
    if (outside?.classList.contains("light")) return "light";
    let kept = null;
    try {
      kept = localStorage.getItem("theme");
    } catch {
      kept = null;
    }
    if (kept === "dark" || kept === "light") return kept;
    return system.matches ? "dark" : "light";
  }

  function apply() {
    root.dataset.theme = chosen();
  }

  apply();
  system.addEventListener("change", apply);
  window.addEventListener("storage", apply);
  const outside = airflow();
  if (outside) new MutationObserver(apply).observe(outside, { attributes: true, attributeFilter: ["class"] });
})();
