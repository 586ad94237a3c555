// Bytes of a console as the API carries them: base64, any bytes, as they came.

/** What was printed. */
export const decode = (data: string): Uint8Array => Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));

const CHUNK = 8192;

/** What was typed. */
export function encode(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(text);
}

/** Most that is typed at once; the API takes 16 KiB. */
export const MOST = 16 << 10;

/** Typed text in pieces that the API takes, without cutting a letter in two: the console may show each piece at once. */
export function pieces(typed: Uint8Array, most = MOST): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let at = 0; at < typed.length; ) {
    let end = Math.min(typed.length, at + most);
    // 10xxxxxx goes on a letter of UTF-8 (RFC 3629 §3)
    while (end < typed.length && end > at + 1 && ((typed[end] ?? 0) & 0xc0) === 0x80) end -= 1;
    all.push(typed.subarray(at, end));
    at = end;
  }
  return all;
}
