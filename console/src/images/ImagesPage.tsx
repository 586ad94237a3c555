// The disks that machines can be made from.

import { createMemo, For, Show } from "solid-js";
import { Acts } from "../act/Acts";
import { createWatch } from "../api/watch";
import type { PageProps } from "../pages";
import { digits, Head } from "../parts/Head";
import { decimal } from "../view/bytes";
import { MachineLink } from "../parts/Links";
import { follow } from "../view/router";
import { local } from "../view/words";
import { Add } from "./Add";
import { headline, type Image, remove, short, type User, users } from "./images";
import "./images.css";

const past = (name: string) => `/events?about=${encodeURIComponent(`image ${name}`)}`;

export function ImagesPage(props: PageProps) {
  const images = createWatch<Image[]>(props.live, () => "/v1/images");
  const machines = createWatch<User[]>(props.live, () => "/v1/machines");
  const all = () => images.value() ?? [];
  const made = () => machines.value() ?? [];
  const come = () => images.value() !== undefined && machines.value() !== undefined;
  const actions = createMemo(() => {
    const { me, link } = props.live.house;
    return all().map((image) => remove(image, made(), me?.role ?? "reader", link.state === "lost"));
  });
  return (
    <div class="sheet images" aria-busy={!come()}>
      <div>
        <h1 tabindex={-1}>{come() ? headline(all(), made()) : "Images"}</h1>
        <p class="lede">
          Bootable disks, known by the digest of their bytes: what is read back from a disk is compared with it.
        </p>
      </div>
      <Show when={images.trouble() ?? machines.trouble()}>{(it) => <p class="said failed">{it()}</p>}</Show>
      <Show when={all().length > 0}>
        <div class="tables">
          <table>
            <caption class="unseen">Images</caption>
            <Head
              of={[
                "name",
                digits("stored"),
                "packed",
                digits("disk"),
                "machines made from it",
                "digest",
                "from",
                "added",
              ]}
            />
            <tbody>
              <For each={all()}>
                {(image) => (
                  <tr>
                    <th scope="row">
                      <a class="to" href={past(image.name)} onClick={(event) => follow(event, past(image.name))}>
                        {image.name}
                      </a>
                    </th>
                    <td class="value">{decimal(image.stored)}</td>
                    <td>{image.packing}</td>
                    <td class="value">{decimal(image.raw)}</td>
                    <td>
                      <Show when={users(image, made()).length > 0} fallback={<span class="none">none</span>}>
                        <For each={users(image, made())}>
                          {(user, i) => (
                            <>
                              {i() > 0 ? ", " : ""}
                              <MachineLink name={user.name} />
                            </>
                          )}
                        </For>
                      </Show>
                    </td>
                    <td>
                      <code title={image.digest}>{short(image.digest)}</code>
                    </td>
                    <td class="from">{image.source}</td>
                    <td>{local(image.added, new Date(props.live.now()))}</td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
      </Show>
      <div class="beside">
        <Add live={props.live} onDone={images.refresh} />
        <Show when={actions().length > 0}>
          <section>
            <h2>Remove</h2>
            <Acts actions={actions()} onDone={images.refresh} />
          </section>
        </Show>
      </div>
    </div>
  );
}
