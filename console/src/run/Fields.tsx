// The fields of a wish.

import { createMemo, createUniqueId, For, type JSX, Show } from "solid-js";
import type { Image } from "../api/types";
import type { Field, Wish } from "./wish";

export interface FieldsProps {
  wish: Wish;
  wrong: Partial<Record<Field, string>>;
  images: Image[];
  /** Places that are free. */
  places: string[];
  userData: string;
  onChange: (more: Partial<Wish>) => void;
  onUserData: (text: string) => void;
}

const PLAIN: { field: Field; label: string; hint: string; note?: string }[] = [
  { field: "name", label: "name", hint: "made from the image's" },
  { field: "cores", label: "cores", hint: "at least; any" },
  { field: "memory", label: "memory", hint: "at least, as 64G; any" },
  { field: "gpu", label: "GPUs", hint: "at least; none" },
  { field: "disk", label: "disk", hint: "at least, as 2TB; the image's size" },
  {
    field: "nice",
    label: "nice",
    hint: "0; −20 is shed last, 19 first",
    note: "Who gives up watts first, when a PDU would trip.",
  },
  { field: "login", label: "login", hint: "the image's first user" },
  { field: "wait", label: "wait", hint: "for parts, as 10m; refused at once" },
];

export function Fields(props: FieldsProps) {
  // what was chosen stays there to be seen, even when somebody else takes it meanwhile
  const places = createMemo(() => {
    const { on } = props.wish;
    return on === "" || props.places.includes(on) ? props.places : [on, ...props.places];
  });
  const images = createMemo(() => {
    const names = props.images.map(({ name }) => name);
    const { image } = props.wish;
    return image === "" || names.includes(image) ? names : [image, ...names];
  });
  return (
    <div class="fields">
      <Row label="image">
        {(id) => (
          <select id={id} required onChange={(event) => props.onChange({ image: event.currentTarget.value })}>
            <For each={images()}>
              {(name) => (
                <option value={name} selected={name === props.wish.image}>
                  {name}
                </option>
              )}
            </For>
          </select>
        )}
      </Row>
      <Row label="place">
        {(id) => (
          <select id={id} onChange={(event) => props.onChange({ on: event.currentTarget.value })}>
            <option value="">wherever it fits</option>
            <For each={places()}>
              {(place) => (
                <option value={place} selected={place === props.wish.on}>
                  {place}
                </option>
              )}
            </For>
          </select>
        )}
      </Row>
      <For each={PLAIN}>
        {({ field, label, hint, note }) => (
          <Row label={label} wrong={props.wrong[field]} note={note}>
            {(id) => (
              <input
                id={id}
                value={props.wish[field]}
                placeholder={hint}
                aria-invalid={props.wrong[field] !== undefined}
                aria-describedby={`${id}-wrong`}
                onInput={(event) => props.onChange({ [field]: event.currentTarget.value })}
                autocomplete="off"
                spellcheck={false}
              />
            )}
          </Row>
        )}
      </For>
      <Row label="SSH keys">
        {(id) => (
          <textarea
            id={id}
            rows={2}
            value={props.wish.key}
            placeholder="public keys, one a line; none: nobody can log in"
            onInput={(event) => props.onChange({ key: event.currentTarget.value })}
            spellcheck={false}
          />
        )}
      </Row>
      <Row label="user data" note="Not part of the link: it may hold secrets.">
        {(id) => (
          <textarea
            id={id}
            rows={3}
            value={props.userData}
            placeholder="#cloud-config"
            onInput={(event) => props.onUserData(event.currentTarget.value)}
            spellcheck={false}
          />
        )}
      </Row>
    </div>
  );
}

function Row(props: {
  label: string;
  wrong?: string | undefined;
  note?: string | undefined;
  children: (id: string) => JSX.Element;
}) {
  const id = createUniqueId();
  return (
    <>
      <label for={id}>{props.label}</label>
      <div>
        {props.children(id)}
        <p id={`${id}-wrong`} class="hint" classList={{ loud: props.wrong !== undefined }}>
          <Show when={props.wrong} fallback={props.note}>
            {props.wrong}
          </Show>
        </p>
      </div>
    </>
  );
}
