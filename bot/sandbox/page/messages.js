// Messages of a channel or thread.

import { content } from "./blocks.js";
import { avatar, h, icon, reconcile } from "./dom.js";
import { ago, clock, day, moment } from "./text.js";
import { zoneName } from "./zone.js";

const GROUPED_S = 300;

function context(message, page) {
  const { channel, ts } = message;
  return {
    id: `${channel}/${ts}`,
    people: page.people(),
    values: message.values,
    input: () => null,
    click: (action_id, block_id, value) =>
      page.act("click", { channel, ts, action_id, block_id, value }),
  };
}

function heading(message, author) {
  return h(
    "div",
    { class: "heading" },
    h("strong", {}, author?.real_name ?? message.user),
    author?.is_bot && h("span", { class: "tag" }, "APP"),
    h("time", { title: moment(message.ts), datetime: new Date(message.ts * 1000).toISOString() }, clock(message.ts)),
  );
}

function tools(message, page) {
  const { channel, ts } = message;
  if (message.ephemeral) return null;
  return h(
    "div",
    { class: "tools" },
    h("button", { type: "button", class: "ghost", "aria-label": "Open thread", title: "Open thread",
      onclick: () => page.openThread(message.thread_ts ?? ts) }, icon("thread")),
    h("button", { type: "button", class: "ghost", "aria-label": "Delete message", title: "Delete message",
      onclick: () => page.remove(channel, ts) }, icon("trash")),
  );
}

function below(message, page, inThread) {
  const rows = [];
  if (inThread && message.broadcast) {
    rows.push(h("small", { class: "edited" }, "also sent to the channel"));
  }
  if (message.trouble) {
    rows.push(h("p", { class: "trouble", role: "alert" }, icon("warn"), message.trouble));
  }
  if (message.ephemeral) {
    rows.push(h("button", { type: "button", class: "quiet",
      onclick: () => page.act("delete", { channel: message.channel, ts: message.ts }) }, "Dismiss message"));
  }
  if (message.reply_count && !inThread) {
    rows.push(
      h("button", { type: "button", class: "replies", "data-focus": `thread/${message.ts}`,
        onclick: () => page.openThread(message.ts) },
      icon("thread"), h("b", {}, replies(message.reply_count)), h("small", {}, `Last reply ${ago(message.latest_reply)}`)),
    );
  }
  return rows;
}

function render({ message, follows, inThread, page }) {
  const author = page.people().users.get(message.user);
  const kind = [
    "message",
    follows ? "follows" : "",
    message.ephemeral ? "ephemeral" : "",
    message.ts === page.marked && !inThread ? "marked" : "",
  ].join(" ");
  const parent = message.broadcast && !inThread ? page.find(message.channel, message.thread_ts) : null;
  return h(
    "article",
    { class: kind, tabindex: -1, "data-ts": message.ts, "aria-label": `${author?.real_name ?? message.user} at ${clock(message.ts)}` },
    h("div", { class: "gutter" }, follows ? h("time", {}, clock(message.ts)) : avatar(author)),
    h(
      "div",
      { class: "body" },
      message.ephemeral && h("p", { class: "only-you" }, icon("eye"), "Only visible to you"),
      !follows && heading(message, author),
      parent && h("button", { type: "button", class: "quiet", onclick: () => page.openThread(parent.ts) },
        `replied to a thread: ${parent.text.slice(0, 60)}`),
      content(message, context(message, page)),
      message.edited && !message.blocks.length && h("small", { class: "edited" }, "(edited)"),
      below(message, page, inThread),
    ),
    tools(message, page),
  );
}

function divider({ divider: text, slim }) {
  return h("div", { class: `divider${slim ? " slim" : ""}`, role: "separator" }, h("span", {}, text));
}

function replies(count) {
  return count === 1 ? "1 reply" : `${count} replies`;
}

function rows(messages, page, inThread) {
  const items = [];
  let previous;
  for (const message of messages) {
    const label = day(message.ts);
    if (!inThread && label !== (previous && day(previous.ts))) {
      items.push({ key: `day-${label}`, signature: label, value: { divider: label } });
      previous = undefined;
    }
    const follows =
      previous !== undefined && previous.user === message.user && !message.ephemeral &&
      !previous.ephemeral && !message.broadcast && !message.blocks.length &&
      message.ts - previous.ts < GROUPED_S;
    const value = { message, follows, inThread, page };
    const signature = JSON.stringify([message, follows, message.ts === page.marked, zoneName()]);
    items.push({ key: message.ts, signature, value });
    previous = message;
    if (inThread && items.length === 1 && messages.length > 1) {
      const count = replies(messages.length - 1);
      items.push({ key: "replies", signature: count, value: { divider: count, slim: true } });
      previous = undefined;
    }
  }
  return items;
}

const isLow = (container) => container.scrollHeight - container.scrollTop - container.clientHeight < 80;

// A list that shows its end goes on showing it when it is made narrower or lower.
export function keepEndInView(container) {
  let low = true;
  container.addEventListener("scroll", () => { low = isLow(container); });
  new ResizeObserver(() => {
    if (low) container.scrollTop = container.scrollHeight;
  }).observe(container);
}

export function drawMessages(container, messages, page, inThread = false, before = []) {
  const low = isLow(container);
  const had = container.childElementCount;
  const items = [...before, ...rows(messages, page, inThread)];
  reconcile(container, items, (value) => value.node?.() ?? (value.divider ? divider(value) : render(value)));
  if (low || !had) container.scrollTop = container.scrollHeight;
}

function said(channel, app) {
  if (channel.is_im) return `What ${app.name} tells you, and nobody else, stands here.`;
  if (!channel.bot_is_member) return `${app.name} is not in this channel.`;
  return `${app.name} posts here. Try /checkpoints in the box below.`;
}

export function beginning(channel, app) {
  const name = channel.is_im ? app.name : `#${channel.name}`;
  const node = h(
    "div",
    { class: "beginning" },
    h("h2", {}, channel.is_im ? name : `This is the very beginning of ${name}`),
    h("p", {}, said(channel, app)),
  );
  return { key: "beginning", signature: JSON.stringify([name, said(channel, app)]), value: { node: () => node } };
}
