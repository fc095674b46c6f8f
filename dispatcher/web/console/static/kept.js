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
  const kept = read();
  for (const [key, one] of Object.entries(kept)) {
    if (!who) one.sent = false;
    else if (one.who !== who || (one.sent && one.action !== location.pathname)) delete kept[key];
  }
  for (const field of document.querySelectorAll("[data-kept]")) {
    const one = kept[keyOf(field)];
    if (!one) continue;
    one.sent = false;
    if (!field.value) field.value = one.text;
  }
  write(kept);

  document.addEventListener("input", ({ target }) => {
    if (!target.matches("[data-kept]")) return;
    const now = read();
    if (target.value) now[keyOf(target)] = { who, action: actionOf(target), text: target.value, sent: false };
    else delete now[keyOf(target)];
    write(now);
  });
  document.addEventListener("submit", ({ target }) => {
    if (target.matches("form.out")) return write({});
    const now = read();
    for (const one of Object.values(now)) if (one.action === target.getAttribute("action")) one.sent = true;
    write(now);
  });
})();
