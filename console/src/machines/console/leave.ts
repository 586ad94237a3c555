// The key that leaves a console: Ctrl-], as telnet, virsh and `busbar console` have it.

/** Whether a key is that one. Where `]` is typed with AltGr, browsers tell of Alt too; and on keyboards without it, the key that stands at
 * its place on a US one does as well. */
export const isLeave = ({ key, code, ctrlKey, metaKey }: Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey">) =>
  ctrlKey && !metaKey && (key === "]" || code === "BracketRight");
