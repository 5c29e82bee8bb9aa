// Keys of the whole page; what stands in a field or dialog keeps its own.

import { openPalette } from "./palette.js";
import { people } from "./sidebar.js";

const typing = (node) => node?.matches?.("input, textarea, select, [contenteditable]");

function escape(page) {
  if (document.body.classList.contains("drawer")) {
    page.drawer(false);
    document.getElementById("menu").focus();
  } else if (page.thread) page.closeThread();
  else page.trouble.toggle(false);
}

// Up and down walk through the messages; the end leads back to the message box.
function walk(event) {
  const list = document.activeElement?.closest(".messages");
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!list || !step || document.activeElement.closest("pre, details, .options")) return;
  const all = [...list.querySelectorAll(".message")];
  const now = all.indexOf(document.activeElement.closest(".message"));
  const next = now < 0 ? all.at(-1) : all[now + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

export function listen(page) {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (page.state && !document.querySelector("dialog[open]")) openPalette(page);
      return;
    }
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") escape(page);
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (/^[1-9]$/.test(event.key)) {
      const one = people(page.state)[Number(event.key) - 1];
      if (one) page.become(one.id);
    }
    walk(event);
  });
}
