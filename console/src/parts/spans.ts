// How far back plots can go, by words in the address.

/** What is shown unless another is asked for. */
export const USUAL = "1h";

/** The one of `spans` that a text means. */
export const spanOf = <T extends string>(spans: readonly T[], text: string | null): T | typeof USUAL =>
  spans.find((it) => it === text) ?? USUAL;
