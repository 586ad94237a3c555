// The tokens that open the API: whose, what for, never a secret; made and revoked by admins.

import { createMemo, createSignal, For, Show } from "solid-js";
import { Acts } from "../act/Acts";
import { shownCall } from "../act/action";
import { tell, words } from "../api/client";
import type { Live } from "../api/live";
import type { Role } from "../api/types";
import { createWatch } from "../api/watch";
import { Dialog } from "../frame/Dialog";
import { Head } from "../parts/Head";
import { local } from "../view/words";
import { ROLES, revoke, type Token, unfit } from "./tokens";

export function Tokens(props: { live: Live; me: string }) {
  const tokens = createWatch<Token[]>(props.live, () => "/v1/tokens");
  const [made, setMade] = createSignal<{ name: string; secret: string } | null>(null);
  const lost = () => props.live.house.link.state === "lost";
  const all = () => tokens.value() ?? [];
  const actions = createMemo(() => all().map((token) => revoke(token, all(), props.me, lost())));
  return (
    <section>
      <h2>Tokens</h2>
      <Show when={tokens.trouble()}>{(it) => <p class="said failed">{it()}</p>}</Show>
      <div class="tables">
        <table>
          <caption class="unseen">Tokens</caption>
          <Head of={["name", "role", "made"]} />
          <tbody>
            <For each={all()}>
              {(token) => (
                <tr>
                  <th scope="row">
                    {token.name}
                    <Show when={token.name === props.me}> (this session)</Show>
                  </th>
                  <td>{token.role}</td>
                  <td>{local(token.created, new Date(props.live.now()))}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
      <p class="why">
        Only fingerprints are kept: no secret can be shown again, and when a token was last used is not recorded.
      </p>
      <Make all={all()} onMade={setMade} onDone={tokens.refresh} />
      <h3>Revoke</h3>
      <Acts actions={actions()} onDone={tokens.refresh} />
      <Show when={made()}>
        {(token) => (
          <Dialog label={`Token ${token().name}`} onClose={() => setMade(null)}>
            <h2>Token {token().name}</h2>
            <p>This is its secret. It is shown now and never again.</p>
            <pre>
              <code class="secret">{token().secret}</code>
            </pre>
            <div class="row">
              <button type="button" onClick={() => void navigator.clipboard.writeText(token().secret)}>
                Copy
              </button>
              <button type="button" class="main" autofocus onClick={() => setMade(null)}>
                It is kept
              </button>
            </div>
          </Dialog>
        )}
      </Show>
    </section>
  );
}

function Make(props: { all: Token[]; onMade: (token: { name: string; secret: string }) => void; onDone: () => void }) {
  const [name, setName] = createSignal("");
  const [role, setRole] = createSignal<Role>("reader");
  const [failed, fail] = createSignal<string | null>(null);
  const [busy, setBusy] = createSignal(false);
  const why = () => unfit(name(), props.all);
  const call = () => ({
    method: "POST" as const,
    path: "/v1/tokens",
    body: { name: name() || "NAME", role: role() },
  });
  const make = async (event: Event) => {
    event.preventDefault();
    if (why() !== null || busy()) return;
    setBusy(true);
    fail(null);
    try {
      const { path, body } = call();
      const made = await tell<{ name: string; secret: string }>("POST", path, body);
      if (made) props.onMade(made);
      setName("");
    } catch (error) {
      fail(words(error));
    } finally {
      setBusy(false);
      props.onDone();
    }
  };
  return (
    <form class="make" onSubmit={(event) => void make(event)}>
      <h3>Make one</h3>
      <div class="bar">
        <label>
          <span>name</span>
          <input
            value={name()}
            placeholder="anna"
            spellcheck={false}
            autocomplete="off"
            onInput={(event) => setName(event.currentTarget.value.trim())}
          />
        </label>
        <label>
          <span>may</span>
          <select onChange={(event) => setRole(event.currentTarget.value as Role)}>
            <For each={ROLES}>
              {(it) => (
                <option value={it.role}>
                  {it.role}: {it.may}
                </option>
              )}
            </For>
          </select>
        </label>
        <button type="submit" aria-disabled={why() !== null || busy()} aria-describedby="make-why">
          Make token
        </button>
      </div>
      <p id="make-why">
        <code>
          busbar token make {name() || "NAME"} --role {role()}
        </code>{" "}
        <code class="call">{shownCall(call())}</code>
        <Show when={name() !== "" && why()}>{(it) => <span class="why"> {it()}</span>}</Show>
      </p>
      <p role="status" class="said failed">
        {failed()}
      </p>
    </form>
  );
}
