// A <details> that behaves as a menu: Esc and leaving it close it, arrows walk through it.

export function popup(details, closed = () => {}) {
  const items = () => [...details.querySelectorAll(".menu :is(button, input)")].filter((one) => one.offsetParent);
  const close = () => {
    details.open = false;
  };
  details.addEventListener("toggle", () => {
    if (!details.open) closed();
  });
  details.addEventListener("focusout", (event) => {
    // A press on a label moves the focus to whatever holds the menu; that is not leaving it.
    const to = event.relatedTarget;
    if (to && !pressing && !details.contains(to) && !to.contains(details)) close();
  });
  details.addEventListener("keydown", (event) => {
    if (!details.open) return;
    if (event.key === "Escape") {
      // The menu goes, not the dialog or thread it stands in.
      event.preventDefault();
      event.stopPropagation();
      close();
      details.querySelector("summary").focus();
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = items();
    const next = all[all.indexOf(document.activeElement) + step];
    (next ?? (step > 0 ? all.at(-1) : details.querySelector("summary")))?.focus();
  });
  return details;
}

// A press elsewhere closes what is open, but not before the press has done what it is for: a list
// that folds up under the pointer would move away the button that is being pressed.
let pressing = false;
document.addEventListener("pointerdown", () => { pressing = true; }, true);
for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => { pressing = false; }, true);
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details[open]:is(.overflow, .multi, .lightning)")) {
    if (!open.contains(event.target)) open.open = false;
  }
});
