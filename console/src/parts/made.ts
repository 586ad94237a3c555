// What a server is made of, added up from its parts.

export interface Parted {
  parts: { kind: { kind: string; cores?: number; size?: number } }[];
}

export interface Made {
  cores: number;
  /** Bytes. */
  memory: number;
  gpus: number;
  drives: number;
  /** Bytes of all drives. */
  storage: number;
}

export function made({ parts }: Parted): Made {
  const of = (kind: string) => parts.filter((part) => part.kind.kind === kind);
  const sum = (kind: string, number: "cores" | "size") => of(kind).reduce((all, it) => all + (it.kind[number] ?? 0), 0);
  return {
    cores: sum("processor", "cores"),
    memory: sum("memory", "size"),
    gpus: of("gpu").length,
    drives: of("drive").length,
    storage: sum("drive", "size"),
  };
}
