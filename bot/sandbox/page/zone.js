// Times in the zone of the person who looks, as Slack shows them, not in the browser's.

let zone;

export function setZone(name) {
  zone = name;
}

export const zoneName = () => zone ?? "";

export function at(seconds, options) {
  return new Intl.DateTimeFormat(undefined, { timeZone: zone, ...options }).format(new Date(seconds * 1000));
}

const FIELDS = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" };

// `2026-01-31T09:30` there, as date and time inputs want it.
export function local(seconds) {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...FIELDS });
  const part = Object.fromEntries(format.formatToParts(new Date(seconds * 1000)).map((one) => [one.type, one.value]));
  return `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}`;
}

const asIfUtc = (text) => Date.parse(`${text}Z`) / 1000;

// The moment a clock there shows `text`: the offset is read twice, as it may differ at the guess.
export function unix(text) {
  const wanted = asIfUtc(text);
  let moment = wanted;
  for (let turn = 0; turn < 2; turn += 1) moment += wanted - asIfUtc(local(moment));
  return moment;
}

export const date = (seconds) => local(seconds).slice(0, 10);

export function daysFromToday(seconds) {
  return Math.round((Date.parse(date(seconds)) - Date.parse(date(Date.now() / 1000))) / 864e5);
}
