// Numbers and times in words.

/** `3 s`, `4 m`, `2 h`, `3 d`. */
export function age(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} m`;
  if (s < 172_800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

/** Seconds from which a value counts as old: twice what a slow BMC takes. */
export const OLD = 30;

/** `366 W`, `3.66 kW`, `36.6 kW`: three digits, since more say nothing. */
export function watts(value: number): string {
  const most = Math.abs(Math.round(value));
  if (most < 1000) return `${Math.round(value)} W`;
  return `${(value / 1000).toFixed(most < 9_995 ? 2 : most < 99_950 ? 1 : 0)} kW`;
}

/** The end of a place: `pdu-a` of `r1/pdu-a`. */
export const slot = (place: string) => place.slice(place.lastIndexOf("/") + 1);

/** `a`, `a and b`, `a, b and c`. */
export const all = (names: readonly string[]) =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

const SYMBOLS: Record<string, string> = {
  watts: "W",
  celsius: "°C",
  rpm: "rpm",
  percent: "%",
  volts: "V",
  amperes: "A",
  litres_per_minute: "l/min",
  kilopascals: "kPa",
  kilowatt_hours: "kWh",
};

/** A reading with its unit; what is missing is "no reading", never zero. */
export function reading(value: number | null, unit: string): string {
  if (value === null) return "no reading";
  if (unit === "watts") return watts(value);
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${SYMBOLS[unit] ?? unit}`;
}

const two = (number: number) => `${number}`.padStart(2, "0");

/** `14:02:11`, local time. */
export function clock(time: Date): string {
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/** Times in a text of the daemon's, as this place's clock says them; with the day when that is another. */
export function local(text: string, now: Date): string {
  return text.replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (said) => {
    const time = new Date(said);
    if (time.toDateString() === now.toDateString()) return clock(time);
    return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock(time)}`;
  });
}
