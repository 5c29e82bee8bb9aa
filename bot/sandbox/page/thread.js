// The thread beside the channel.

import { Composer } from "./composer.js";
import { h, icon } from "./dom.js";
import { drawMessages } from "./messages.js";

const panel = document.getElementById("thread");

function frame(parent, page) {
  const box = h("div", {});
  const name = page.channel().is_im ? page.channel().name : `#${page.channel().name}`;
  panel.dataset.ts = parent.ts;
  panel.replaceChildren(
    h("header", { class: "bar" },
      h("button", { type: "button", class: "ghost", "aria-label": "Close the thread", onclick: () => page.closeThread() },
        icon("back"), icon("close")),
      h("h1", {}, "Thread"), h("span", {}, name)),
    h("section", { class: "messages", "aria-live": "polite" }), box);
  page.threadComposer = new Composer(box, {
    send: (text) => page.say(text, page.thread), commands: page.commands, id: "thread-input",
  });
}

export function drawThread(page) {
  const parent = page.thread && page.find(page.place, page.thread);
  panel.hidden = !parent;
  document.body.classList.toggle("threaded", Boolean(parent));
  if (!parent) return;
  if (panel.dataset.ts !== parent.ts || !panel.childElementCount) frame(parent, page);
  page.threadComposer.allow(page.closed() || "Reply …", !page.closed());
  const replies = (page.state.messages[page.place] ?? []).filter((one) => one.thread_ts === parent.ts);
  drawMessages(panel.querySelector(".messages"), [parent, ...replies], page, true);
}
