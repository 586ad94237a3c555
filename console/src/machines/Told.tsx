// What a machine is told of itself by the metadata service. User data never comes this far: the API holds it back.

import { For, Show } from "solid-js";
import { needs } from "../act/action";
import type { Live } from "../api/live";
import type { Role } from "../api/types";
import { createWatch } from "../api/watch";
import { Head } from "../parts/Head";
import { Wide } from "../parts/Wide";
import { go, param, withParams } from "../view/router";
import type { Metadata } from "./types";

const EVERY = 30_000;

export function Told(props: { live: Live; name: string; role: Role }) {
  const open = () => param("told") !== null;
  const denied = () => needs(props.role, "operator");
  const told = createWatch<Metadata>(
    props.live,
    () => (open() && denied() === null ? `/v1/machines/${props.name}/metadata` : null),
    { every: EVERY, key: "path" },
  );
  return (
    <details
      class="told"
      open={open()}
      onToggle={(event) => {
        const now = event.currentTarget.open;
        if (now !== open()) go(withParams({ told: now ? "" : null }), { replace: true });
      }}
    >
      <summary>
        <h2>What it is told of itself</h2> <span class="soft">metadata, as cloud-init reads it</span>
      </summary>
      <Show when={denied()}>{(why) => <p class="lede">{why()}</p>}</Show>
      <Show when={told.trouble()}>{(trouble) => <p class="lede">{trouble()}</p>}</Show>
      <Show when={told.value()}>
        {(it) => (
          <>
            <p class="lede">
              {it().silent
                ? `Nothing now: ${it().silent}.`
                : `Whoever asks from ${it().address} is told this, and nobody else.`}{" "}
              <code class="call">GET /v1/machines/{props.name}/metadata</code>
            </p>
            <Show when={it().files.length > 0}>
              <Wide label="metadata">
                <table>
                  <Head of={["path", "answer"]} />
                  <tbody>
                    <For each={it().files}>
                      {(file) => (
                        <tr>
                          <th scope="row">
                            <code>{file.path}</code>
                          </th>
                          <td classList={{ soft: file.text == null }}>
                            {file.text == null ? `not shown: ${file.withheld}` : <pre>{file.text}</pre>}
                          </td>
                        </tr>
                      )}
                    </For>
                  </tbody>
                </table>
              </Wide>
            </Show>
          </>
        )}
      </Show>
    </details>
  );
}
