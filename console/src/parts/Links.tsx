// The things that a page names, as links: a machine to its page, a place to where it stands in its rack.

import type { JSX } from "solid-js";
import { machineHref, placeHref } from "../view/hrefs";
import { follow } from "../view/router";

export const PlaceLink = (props: { place: string; children?: JSX.Element }) => (
  <a class="to" href={placeHref(props.place)} onClick={(event) => follow(event, placeHref(props.place))}>
    {props.children ?? props.place}
  </a>
);

export const MachineLink = (props: { name: string; children?: JSX.Element }) => (
  <a class="to" href={machineHref(props.name)} onClick={(event) => follow(event, machineHref(props.name))}>
    {props.children ?? props.name}
  </a>
);
