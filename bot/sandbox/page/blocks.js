// Block Kit as nodes. `ctx` says who is who, what was answered, and what a click does.

import { confirmed } from "./confirm.js";
import { h, icon } from "./dom.js";
import { field } from "./fields.js";
import { popup } from "./popup.js";
import { emoji, link, mrkdwn, slackDate, textObject, user, words } from "./text.js";

function styled(node, style = {}) {
  let shown = node;
  for (const [name, tag] of [["code", "code"], ["strike", "s"], ["italic", "em"], ["bold", "strong"]]) {
    if (style[name]) shown = h(tag, {}, shown);
  }
  return shown;
}

function broken(text) {
  return text.split("\n").flatMap((line, n) => (n ? [h("br"), line] : [line]));
}

function richInline(element, ctx) {
  const { people } = ctx;
  const nodes = {
    text: () => h("span", {}, broken(element.text)),
    link: () => link(element.url, element.text),
    emoji: () => document.createTextNode(emoji(`:${element.name}:`)),
    user: () => user(element.user_id, people),
    usergroup: () =>
      h("span", { class: "mention" }, `@${people.groups.get(element.usergroup_id)?.handle ?? "group"}`),
    channel: () =>
      h("span", { class: "mention" }, `#${people.channels.get(element.channel_id)?.name ?? "channel"}`),
    broadcast: () => h("span", { class: "mention" }, `@${element.range}`),
    date: () => h("time", {}, slackDate(element.timestamp, element.format)),
  };
  return styled(nodes[element.type]?.() ?? "", element.style);
}

function rich(element, ctx) {
  const inner = () => element.elements.map((one) => richInline(one, ctx));
  switch (element.type) {
    case "rich_text_preformatted":
      return h("pre", { tabindex: 0 }, element.elements.map((one) => one.text ?? one.url));
    case "rich_text_quote":
      return h("blockquote", {}, inner());
    case "rich_text_list":
      return h(
        element.style === "ordered" ? "ol" : "ul",
        { class: `indent-${element.indent ?? 0}` },
        element.elements.map((item) => h("li", {}, rich(item, ctx))),
      );
    default:
      return h("div", { class: "rich" }, inner());
  }
}

// Runs an act with the control marked busy, so that a slow app is visible and not clicked twice.
async function busy(control, element, block, value, ctx) {
  if (control.getAttribute("aria-busy") || !(await confirmed(element.confirm, ctx.people))) return;
  control.setAttribute("aria-busy", "true");
  try {
    await ctx.click(element.action_id, block.block_id, value);
  } finally {
    control.removeAttribute("aria-busy");
  }
}

function button(element, block, ctx) {
  return h(
    "button",
    {
      type: "button",
      class: `button ${element.style ?? ""}`,
      "aria-label": element.accessibility_label,
      "data-focus": `${ctx.id}/${block.block_id}/${element.action_id}`,
      onclick: (event) => {
        if (element.url) window.open(element.url, "_blank", "noopener");
        busy(event.currentTarget, element, block, undefined, ctx);
      },
    },
    words(element.text),
    element.url && icon("external"),
  );
}

function overflow(element, block, ctx) {
  const list = h("div", { class: "menu", role: "menu" });
  const summary = h("summary", { "aria-label": "More", "data-focus": `${ctx.id}/${block.block_id}/${element.action_id}` }, icon("dots"));
  const details = popup(h("details", { class: "overflow" }, summary, list));
  for (const option of element.options) {
    const choose = () => {
      details.open = false;
      busy(summary, element, block, option.value, ctx);
    };
    list.append(h("button", { type: "button", role: "menuitem", onclick: choose }, words(option.text)));
  }
  return details;
}

export function interactive(element, block, ctx) {
  if (element.type === "button") return button(element, block, ctx);
  if (element.type === "overflow") return overflow(element, block, ctx);
  if (element.type === "image") return h("span", { class: "picture" }, element.alt_text);
  const current = ctx.values?.[block.block_id]?.[element.action_id];
  return field(element, current, ctx, (value, control) => busy(control, element, block, value, ctx));
}

const KINDS = {
  header: (block) => h("h3", { class: "block header" }, words(block.text)),
  divider: () => h("hr", { class: "block" }),
  section: (block, ctx) =>
    h(
      "div",
      { class: "block section" },
      h(
        "div",
        { class: "section-text" },
        block.text && h("div", { class: "text" }, textObject(block.text, ctx.people)),
        block.fields &&
          h("div", { class: "fields" }, block.fields.map((one) => h("div", {}, textObject(one, ctx.people)))),
      ),
      block.accessory && h("div", { class: "accessory" }, interactive(block.accessory, block, ctx)),
    ),
  context: (block, ctx) =>
    h(
      "div",
      { class: "block context" },
      block.elements.map((one) =>
        h("span", {}, one.type === "image" ? one.alt_text : textObject(one, ctx.people)),
      ),
    ),
  actions: (block, ctx) =>
    h("div", { class: "block actions" }, block.elements.map((one) => interactive(one, block, ctx))),
  rich_text: (block, ctx) => h("div", { class: "block" }, block.elements.map((one) => rich(one, ctx))),
  image: (block) => h("figure", { class: "block picture" }, block.alt_text),
  input: (block, ctx) => ctx.input(block),
};

export function blocks(list, ctx) {
  return list.map((block) => KINDS[block.type]?.(block, ctx) ?? h("p", {}, block.type));
}

export function content(message, ctx) {
  if (message.blocks.length) return blocks(message.blocks, ctx);
  return [h("div", { class: "text" }, mrkdwn(message.text, ctx.people))];
}
