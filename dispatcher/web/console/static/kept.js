// What somebody typed outlives the way over the second factor: kept in this tab alone, until a good answer or signing out.
// Only fields that ask for it (data-kept) are kept: no password, no code, no telephone number. Without it one types it again.
"use strict";

(() => {
  const NAME = "mingluo-kept";
  const who = document.querySelector("form.out")?.dataset.who || ""; // nobody on the pages by which one comes in
  const read = () => {
    try {
      return JSON.parse(sessionStorage.getItem(NAME) || "{}");
    } catch (error) {
      return {};
    }
  };
  const write = (kept) => {
    try {
      sessionStorage.setItem(NAME, JSON.stringify(kept));
    } catch (error) {
      return; // a browser that stores nothing keeps nothing
    }
  };
  const actionOf = (field) => field.form.getAttribute("action");
  const keyOf = (field) => actionOf(field) + " " + field.name;

  // A good answer leads to another page. One that hinders stands at the form's own address; one that asks who this is, comes in.
  // Whoever goes back had none: of a good one nothing was left to go back to.
  const kept = read();
  const back = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
  for (const [key, one] of Object.entries(kept)) {
    if (!who || (back && one.who === who)) one.sent = false;
    else if (one.who !== who || (one.sent && one.action !== location.pathname)) delete kept[key];
  }
  for (const field of document.querySelectorAll("[data-kept]")) {
    const one = kept[keyOf(field)];
    if (!one) continue;
    one.sent = false;
    field.value = one.text; // what he chose or wrote himself, over what the page proposes
    if (field.selectedIndex === -1) field.value = ""; // no longer among what there is to choose
  }
  write(kept);

  const put = (now, field, sent) => {
    if (field.value) now[keyOf(field)] = { who, action: actionOf(field), text: field.value, sent };
    else delete now[keyOf(field)];
  };
  document.addEventListener("input", ({ target }) => {
    if (!target.matches("[data-kept]")) return;
    const now = read();
    put(now, target, false);
    write(now);
  });
  document.addEventListener("submit", ({ target }) => {
    if (target.matches("form.out")) return write({});
    const now = read();
    for (const field of target.querySelectorAll("[data-kept]")) put(now, field, true); // also what he left as it was proposed
    write(now);
  });
})();
