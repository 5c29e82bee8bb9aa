// Slack's text: mrkdwn, mentions, dates, emoji. Everything ends as text nodes.

import { h } from "./dom.js";
import { at, date, daysFromToday } from "./zone.js";

const EMOJI = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", no_entry: "⛔", hourglass: "⌛",
  hourglass_flowing_sand: "⏳", warning: "⚠️", rocket: "🚀", eyes: "👀", tada: "🎉", bell: "🔔",
  lock: "🔒", memo: "📝", speech_balloon: "💬", thumbsup: "👍", "+1": "👍", thumbsdown: "👎",
  "-1": "👎", stopwatch: "⏱️", clock1: "🕐", arrow_right: "➡️", large_green_circle: "🟢",
  red_circle: "🔴", large_yellow_circle: "🟡", white_circle: "⚪", wave: "👋", link: "🔗",
  information_source: "ℹ️", raised_hand: "✋", no_entry_sign: "🚫", fire: "🔥", package: "📦",
};

const BRACKET = /<([^<>]+)>/;
const MARKS = [
  [/```([\s\S]+?)```/, "pre"],
  [/`([^`\n]+)`/, "code"],
  [/(?<![\w*])\*(?!\s)([^*\n]+?)(?<!\s)\*(?![\w*])/, "strong"],
  [/(?<![\w_])_(?!\s)([^_\n]+?)(?<!\s)_(?![\w_])/, "em"],
  [/(?<![\w~])~(?!\s)([^~\n]+?)(?<!\s)~(?![\w~])/, "s"],
];

export function unescape(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

export function emoji(text) {
  return text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => EMOJI[name] ?? whole);
}

function lines(text) {
  return emoji(unescape(text)).split("\n").flatMap((line, n) => (n ? [h("br"), line] : [line]));
}

const TIME = { hour: "numeric", minute: "2-digit" };
const LONG = { weekday: "long", year: "numeric", month: "long", day: "numeric" };
const SHORT = { year: "numeric", month: "short", day: "numeric" };
const DATE = { year: "numeric", month: "long", day: "numeric" };

function pretty(seconds, options) {
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[daysFromToday(seconds)] ?? at(seconds, options);
}

export function ago(seconds) {
  const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  const gone = seconds - Date.now() / 1000;
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(gone) >= size) return relative.format(Math.trunc(gone / size), unit);
  }
  return "just now";
}

export function slackDate(seconds, format) {
  const tokens = {
    date_num: () => date(seconds),
    date: () => at(seconds, DATE),
    date_long: () => at(seconds, LONG),
    date_long_full: () => at(seconds, LONG),
    date_short: () => at(seconds, SHORT),
    date_pretty: () => pretty(seconds, DATE),
    date_short_pretty: () => pretty(seconds, SHORT),
    date_long_pretty: () => pretty(seconds, LONG),
    day_divider_pretty: () => pretty(seconds, LONG),
    time: () => at(seconds, TIME),
    time_secs: () => at(seconds, { ...TIME, second: "2-digit" }),
    ago: () => ago(seconds),
  };
  return format.replace(/\{(\w+)\}/g, (whole, name) => tokens[name]?.() ?? whole);
}

export const clock = (ts) => at(Number(ts), TIME);
export const day = (ts) => {
  const said = pretty(Number(ts), LONG);
  return said[0].toUpperCase() + said.slice(1);
};
export const moment = (ts) => at(Number(ts), { ...LONG, ...TIME });

const mention = (text) => h("span", { class: "mention" }, text);

export function link(url, label) {
  if (!/^(https?|mailto):/i.test(url)) return document.createTextNode(label ?? url);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label ?? url);
}

export function user(id, people) {
  return mention(`@${people.users.get(id)?.real_name ?? id}`);
}

function bracket(inner, people) {
  const [target, label] = [inner.split("|")[0], inner.split("|").slice(1).join("|")];
  if (target.startsWith("@")) return user(target.slice(1), people);
  if (target.startsWith("#")) {
    return mention(`#${people.channels.get(target.slice(1))?.name ?? (label || target.slice(1))}`);
  }
  if (target.startsWith("!date^")) {
    const [, seconds, format, href] = target.split("^");
    const shown = slackDate(Number(seconds), format);
    const time = h("time", { datetime: new Date(seconds * 1000).toISOString(), title: label }, shown);
    return href ? link(href, shown) : time;
  }
  if (target.startsWith("!subteam^")) {
    return mention(`@${people.groups.get(target.slice(9))?.handle ?? (label || "group")}`);
  }
  if (target.startsWith("!")) return mention(`@${label || target.slice(1)}`);
  return link(unescape(target), label ? unescape(label) : undefined);
}

function inline(text, people, marks = MARKS) {
  const hits = marks
    .map(([pattern, tag]) => ({ found: pattern.exec(text), tag }))
    .concat({ found: BRACKET.exec(text), tag: "bracket" })
    .filter((hit) => hit.found)
    .sort((a, b) => a.found.index - b.found.index);
  if (!hits.length) return lines(text);
  const { found, tag } = hits[0];
  const rest = text.slice(found.index + found[0].length);
  let node;
  if (tag === "bracket") node = bracket(found[1], people);
  else if (tag === "pre" || tag === "code") node = h(tag, {}, unescape(found[1].replace(/^\n/, "")));
  else node = h(tag, {}, inline(found[1], people, marks));
  return [...lines(text.slice(0, found.index)), node, ...inline(rest, people, marks)];
}

// Runs of quoted and unquoted lines; a quote sign inside ``` is only a sign.
function runs(text) {
  const found = [];
  let fenced = false;
  for (const line of text.split("\n")) {
    const sign = fenced ? null : /^(?:&gt;|>) ?/.exec(line);
    if (line.split("```").length % 2 === 0) fenced = !fenced;
    const last = found.at(-1);
    const rest = sign ? line.slice(sign[0].length) : line;
    if (last && last.quoted === Boolean(sign)) last.lines.push(rest);
    else found.push({ quoted: Boolean(sign), lines: [rest] });
  }
  return found;
}

export function mrkdwn(text, people) {
  return runs(text).flatMap(({ quoted, lines: listed }) => {
    const nodes = inline(listed.join("\n"), people);
    return quoted ? [h("blockquote", {}, nodes)] : nodes;
  });
}

export function textObject(object, people) {
  if (!object) return [];
  if (object.type === "mrkdwn") return mrkdwn(object.text, people);
  return (object.emoji ? emoji(object.text) : object.text)
    .split("\n")
    .flatMap((line, n) => (n ? [h("br"), line] : [line]));
}

export const words = (object) => (object ? (object.emoji ? emoji(object.text) : object.text) : "");
